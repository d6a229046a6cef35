"""What bgcheck measured, as files and on screen."""
