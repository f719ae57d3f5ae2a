"""The rule library, by theme. Rooms here import `model` and `units` alone; the bodies are inequalities on a year's view."""
