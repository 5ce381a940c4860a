"""What `import bgcam` offers to Python programs. RGB order, as Pillow, torchvision and most of them have it."""
