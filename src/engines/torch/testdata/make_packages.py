"""Makes compiled/model.pt2 and exported/model.pt2: y = relu(x W' + b) for rows of four numbers; where PyTorch 2.15 is.

    python make_packages.py

Compiled for any x86-64 and stripped, so that the file is small and runs wherever the tests do.
"""
import pathlib
import shutil
import subprocess
import tempfile
import zipfile

import torch

HERE = pathlib.Path(__file__).parent


class Linear(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)
        with torch.no_grad():
            self.linear.weight.copy_(torch.arange(12).reshape(3, 4) / 10)
            self.linear.bias.copy_(torch.tensor([0.5, 1.0, 2.0]))

    def forward(self, x):
        return torch.relu(self.linear(x))


def export():
    # Without the patch torch.export takes it that there are two rows at least.
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):
        return torch.export.export(Linear().eval(), (torch.ones(2, 4),), dynamic_shapes={"x": {0: torch.export.Dim.DYNAMIC}})


def strip_code(package, target):
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(package) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if entry.filename.endswith(".cpp"):
                continue
            data = old.read(entry)
            if entry.filename.endswith(".so"):
                code = pathlib.Path(folder) / "code.so"
                code.write_bytes(data)
                subprocess.run(["strip", "--strip-all", code], check=True)
                data = code.read_bytes()
            new.writestr(entry.filename, data)


def main():
    exported = export()
    torch.export.save(exported, HERE / "exported/model.pt2")
    with tempfile.TemporaryDirectory() as folder:
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=f"{folder}/model.pt2",
            inductor_configs={"cpp.threads": 1, "cpp.simdlen": 1, "cpp.march": "x86-64"})
        strip_code(package, HERE / "compiled/model.pt2")
    shutil.rmtree(HERE / "__pycache__", ignore_errors=True)


if __name__ == "__main__":
    main()
