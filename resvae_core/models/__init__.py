"""Things that predict: networks, forests, linear models and floors, behind one protocol."""
