"""The dashboard's pages: each composes components and core, and computes nothing."""
