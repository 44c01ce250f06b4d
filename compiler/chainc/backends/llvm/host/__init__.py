"""What runs machine code from Python: functions, trainings, and their memory."""
