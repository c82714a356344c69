"""What learns: recurrent cells, the gradient flows that train them, and the kernels that unroll them."""
