"""What bgcam writes outside its own folders: the virtual camera's files, and a service. Shown first, and taken back."""
