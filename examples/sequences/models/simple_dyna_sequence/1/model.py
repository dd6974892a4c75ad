class Told:
    """As simple_sequence; to a sequence's last value its correlation id is added."""
    inputs = {"INPUT": ("INT32", [-1, 1]), "START": ("INT32", [-1, 1]), "END": ("INT32", [-1, 1]),
              "CORRID": ("UINT64", [-1, 1])}
    outputs = {"OUTPUT": ("INT32", [-1, 1])}

    def predict(self, inputs):
        corrid = inputs["CORRID"].astype("int32")
        return {"OUTPUT": inputs["INPUT"] + inputs["START"] + inputs["END"] * corrid}
