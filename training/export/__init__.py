"""A finished stage as others read it: the folder of a pipeline of diffusers, in safetensors."""
