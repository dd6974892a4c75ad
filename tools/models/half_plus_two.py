"""The model of TensorFlow Serving's own examples, y = x / 2 + 2, with a signature of each kind.

    half_plus_two.py OUT      writes the SavedModel OUT/00000123

serving_default      x [-1] -> y [-1]
regress_x_to_y       serialised tf.Examples with a float feature "x" -> outputs [-1,1]
classify_x_to_y      the same -> classes ("low", "high") and scores [-1,2]
upper                text [-1] -> upper_bytes [-1]
"""
import pathlib
import shutil
import sys

import tensorflow as tf


class HalfPlusTwo(tf.Module):
    def __init__(self):
        super().__init__()
        self.half = tf.Variable(0.5, name="half")
        self.two = tf.Variable(2.0, name="two")

    def y(self, x):
        return x * self.half + self.two

    def parse(self, examples):
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([1], tf.float32)})["x"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def predict(self, x):
        return {"y": self.y(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs):
        return {"outputs": self.y(self.parse(inputs))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs):
        y = self.y(self.parse(inputs))
        classes = tf.tile(tf.constant([["low", "high"]]), [tf.shape(y)[0], 1])
        return {"classes": classes, "scores": tf.concat([1.0 / y, 1.0 - 1.0 / y], axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def upper(self, text):
        return {"upper_bytes": tf.strings.upper(text)}


def main():
    out = pathlib.Path(sys.argv[1]) / "00000123"
    shutil.rmtree(out, ignore_errors=True)
    module = HalfPlusTwo()
    tf.saved_model.save(module, str(out), signatures={
        "serving_default": module.predict, "regress_x_to_y": module.regress, "classify_x_to_y": module.classify,
        "upper": module.upper})


main()
