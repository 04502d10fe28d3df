"""What turns the expression of a sample into an embedding, behind one protocol."""
