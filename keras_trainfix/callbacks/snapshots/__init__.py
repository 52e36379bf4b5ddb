"""Reading and drawing the predictions that `PredictionSnapshots` shows."""
