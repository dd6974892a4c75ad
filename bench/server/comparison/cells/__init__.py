"""Groups of cells: each module's run(context) gives its rows."""
