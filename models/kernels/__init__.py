"""The time loop: kernels that unroll a cell over a sequence under a gradient flow."""
