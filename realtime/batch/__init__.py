"""`bgcam batch`: every video and picture of a folder or bucket, on one machine or on a Ray cluster."""
