"""What people look at: terminal text, the manual from the code. Rooms here read runs and print; they decide nothing."""
