"""How `PredictionSnapshots` reads and draws predictions."""
