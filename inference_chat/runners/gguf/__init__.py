"""Models in llama.cpp's own files, `*.gguf`: read here, run by the optional library llama-cpp-python."""
