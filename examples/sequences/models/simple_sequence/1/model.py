class Marked:
    """Answers a sequence's values as they are, the first one plus one."""
    inputs = {"INPUT": ("INT32", [-1, 1]), "START": ("INT32", [-1, 1])}
    outputs = {"OUTPUT": ("INT32", [-1, 1])}

    def predict(self, inputs):
        return {"OUTPUT": inputs["INPUT"] + inputs["START"]}
