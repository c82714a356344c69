"""The gradient of a network that is built by hand: one row per flow, step and seed."""

from workflow.tables.schema.columns import count, number, text

ENTRY = "training/gradients/constructed.py"
SETTINGS = [{"seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]}]
KEY = ("flow", "u", "seed")
COLUMNS = {
    "flow": text("the gradient flow: `full` or `truncated_1997`"),
    "u": count("steps back from the end"),
    "seed": count("of its recurrent weights and inputs"),
    "value": number("the input there"),
    "of_value": number("norm of the derivative of the output by that input"),
    "of_hidden": number("norm of the derivative by h"),
    "of_cell": number("norm of the derivative by c"),
    "term": number("norm of dC/dW(T-u) over all weights of the cell"),
    "input_gate": number("how far it is open, 0 to 1"),
    "forget_gate": number("how far it is open, 0 to 1"),
    "output_gate": number("how far it is open, 0 to 1"),
}
