"""Files of the field's other tools, read and written. Rooms here translate; they decide nothing and solve nothing."""
