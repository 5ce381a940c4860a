"""Control of a running bgcam: what the socket and the control page may ask of it."""
