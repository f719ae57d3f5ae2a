"""What practices would do if they could pick their partners: the core, what breaks a plan up, what holds it."""
