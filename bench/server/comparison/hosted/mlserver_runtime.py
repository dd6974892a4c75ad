"""MLServer's custom runtime; model-settings.json names it."""
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from onnx_model import OnnxModel


class OnnxRuntime(MLModel):
    async def load(self):
        self.model = OnnxModel(self.settings.parameters.uri)
        return True

    async def predict(self, payload):
        inputs = {tensor.name: NumpyCodec.decode_input(tensor) for tensor in payload.inputs}
        return InferenceResponse(
            model_name=self.name, id=payload.id,
            outputs=[NumpyCodec.encode_output(name, array) for name, array in self.model.run(inputs)])
