"""What people write by hand; started by uvicorn."""
from fastapi import FastAPI
from onnx_model import OnnxModel, models_from_environment

app = FastAPI()
models = {name: OnnxModel(path) for name, path in models_from_environment().items()}


@app.post("/{name}")
async def infer(name: str, request: dict):
    return {"outputs": models[name].run_json(request["inputs"])}
