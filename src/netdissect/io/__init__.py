"""Read and write files safely, whatever their content is for."""
