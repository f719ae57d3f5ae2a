"""The rule library, by theme. Rooms here import `model` and `units` alone; a body is an inequality on a year's view."""
