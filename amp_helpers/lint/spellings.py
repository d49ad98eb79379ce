"""Deprecated and removed AMP spellings, found by what a name stands for; and old TF32 switches beside new ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst
from libcst.helpers import get_full_name_for_node

from .guards import guarded
from .tree import Tree, argument, canonical, unpacks, walk

_DEVICES = {"gpu": "cuda", "cpu": "cpu", "xla": "xla", "ipu": "ipu", "hpu": "hpu"}
#: Function of torch -> what to write instead; checked against the warnings of the installed torch by a test.
PER_DEVICE = {
    f"torch.{old.format(short)}": "torch." + new.format(f'"{device}"')
    for short, device in _DEVICES.items()
    for old, new in {
        "get_autocast_{}_dtype": "get_autocast_dtype({})",
        "set_autocast_{}_dtype": "set_autocast_dtype({}, dtype)",
        "is_autocast_{}_enabled": "is_autocast_enabled({})",
        "set_autocast_{}_enabled": "set_autocast_enabled({}, enabled)",
    }.items()
    if not (short == "gpu" and "enabled" in old)
}
_CUSTOM = {"torch.amp.custom_fwd", "torch.amp.custom_bwd"}
_SCALERS = {"torch.amp.GradScaler", "torch.GradScaler"}

Found = Iterator[tuple[cst.CSTNode, str, str]]


def spellings(tree: Tree) -> Found:
    """Yield (node, code, message) for every deprecated spelling of a file."""
    calls = {node.func: node for node in tree.nodes if isinstance(node, cst.Call)}
    skipped = _not_used(tree)
    for node in tree.nodes:
        if isinstance(node, cst.Import | cst.ImportFrom):
            yield from _imports(node)
        elif isinstance(node, cst.Decorator) and tree.names(node.decorator) & _CUSTOM:
            if not isinstance(node.decorator, cst.Call):
                yield node, *_custom(tree.text(node.decorator))
        elif isinstance(node, cst.Call):
            yield from _call(tree, node)
        elif isinstance(node, cst.Attribute | cst.Name) and node not in skipped:
            names = tree.names(node)
            messages = [deprecated(name, call=calls.get(node), tree=tree) for name in names]
            if messages and all(messages):
                yield node, *messages[0]


def _not_used(tree: Tree) -> set[cst.CSTNode]:
    """Names that are no use of what an import binds: they are bound themselves, or belong to a longer name."""
    skipped: set[cst.CSTNode] = set()
    for node in tree.nodes:
        if isinstance(node, cst.Attribute):
            skipped.add(node.attr)
            if node not in skipped or isinstance(node.value, cst.Name | cst.Attribute):
                skipped |= set(walk(node.value)) if tree.names(node) else set()
        elif isinstance(node, cst.Arg):
            skipped.add(node.keyword)
        elif isinstance(node, cst.Param | cst.FunctionDef | cst.ClassDef):
            skipped.add(node.name)
        elif isinstance(node, cst.AssignTarget):
            skipped.add(node.target)
        elif isinstance(node, cst.Import | cst.ImportFrom):
            skipped |= set(walk(node))
    return skipped


def _imports(node: cst.Import | cst.ImportFrom) -> Found:
    if isinstance(node, cst.Import):
        names = [(alias, get_full_name_for_node(alias.name)) for alias in node.names]
    elif node.module is None or node.relative:
        return
    elif isinstance(node.names, cst.ImportStar):
        names = [(node, get_full_name_for_node(node.module))]
    else:
        module = get_full_name_for_node(node.module)
        names = [(alias, f"{module}.{get_full_name_for_node(alias.name)}") for alias in node.names]
    for place, name in names:
        message = deprecated(canonical(name), imported=True)
        if message:
            yield place, *message


def _call(tree: Tree, node: cst.Call) -> Found:
    names = tree.names(node)
    for message in bare_autocast(tree, node, names), scale_first(tree, node, names):
        if message:
            yield node, *message
    if names & _CUSTOM and argument(node, "device_type") is None and not unpacks(node):
        yield node, *_custom(tree.text(node.func))


def _custom(text: str) -> tuple[str, str]:
    return "AMP110", f'{text} needs its device: write @{text}(device_type="cuda")'


def bare_autocast(tree: Tree, call: cst.Call, names: set[str]) -> tuple[str, str] | None:
    """AMP112 for `torch.autocast()` and for a bool, a number, a dtype or a torch.device as the device type."""
    if not names or not names <= {"torch.autocast", "torch.amp.autocast"} or unpacks(call):
        return None
    text, device = tree.text(call.func), argument(call, "device_type", 0)
    if device is None:
        rest = ", ".join(["device.type", *(tree.text(arg).rstrip(", ") for arg in call.args)])
        return "AMP112", f"{text}() needs a device type: write {text}({rest})"
    if isinstance(device, cst.Integer | cst.Float) or tree.text(device) in ("True", "False"):
        return "AMP112", f'{text}({tree.text(device)}): the first argument is the device type, such as "cuda"'
    if tree.dtype(device) or tree.names(device) == {"torch.float32"}:
        return "AMP112", f'{text}({tree.text(device)}): write {text}("cuda", dtype={tree.text(device)})'
    if isinstance(device, cst.Call) and tree.names(device) == {"torch.device"}:
        return "AMP112", f"{text}({tree.text(device)}): device_type is a string: pass {tree.text(device)}.type"
    return None


def scale_first(tree: Tree, call: cst.Call, names: set[str]) -> tuple[str, str] | None:
    """AMP113 for `torch.amp.GradScaler(65536.0)`."""
    if not names or not names <= _SCALERS or not call.args or call.args[0].keyword or call.args[0].star:
        return None
    [value, *more] = tree.values(call.args[0].value)
    number = value.expression if isinstance(value, cst.UnaryOperation) else value
    power = isinstance(number, cst.BinaryOperation)  # such as 2.0**16; a string may be put together too
    joined = power and isinstance(number.left, cst.SimpleString | cst.FormattedString | cst.Name)
    is_number = isinstance(number, cst.Integer | cst.Float) or (power and not joined)
    if more or not (is_number or tree.text(value) in ("True", "False")):
        return None
    text, first = tree.text(call.func), tree.text(call.args[0].value)
    name = "enabled" if tree.text(value) in ("True", "False") else "init_scale"
    return "AMP113", f'{text}({first}): the first argument is the device: write {text}("cuda", {name}={first})'


def deprecated(
    name: str, imported: bool = False, call: cst.Call | None = None, tree: Tree | None = None
) -> tuple[str, str] | None:
    """The code and the message for a qualified name; None if it is current."""
    own = name.rpartition(".")[2]
    arguments = ", ".join(tree.text(arg).rstrip(", ") for arg in call.args) if call and tree else ""
    if name == "apex.amp" or name.startswith("apex.amp."):
        if imported or name == "apex.amp":
            return "AMP101", f"{name} was removed from Apex: use torch.autocast and torch.amp.GradScaler"
        if own == "initialize":
            return "AMP102", f"{_initialized(call)} instead of {own}({arguments})"
        if own == "scale_loss":
            return "AMP103", (
                f"write scaler.scale(loss).backward(), scaler.step(optimizer), scaler.update() instead of "
                f"{own}({arguments})"
            )
        return "AMP101", f"{name} was removed from Apex: {_APEX.get(own, 'use torch.autocast and GradScaler')}"
    if name == "apex.fp16_utils" or name.startswith("apex.fp16_utils."):
        return "AMP104", f"{name} was removed from Apex: keep parameters in float32, use torch.autocast and GradScaler"
    if name in PER_DEVICE:
        return "AMP111", f"{name} is deprecated: write {PER_DEVICE[name]}"
    for device, module in (("cuda", "torch.cuda.amp"), ("cpu", "torch.cpu.amp")):
        if name == module or (imported and name.startswith(module) and own in ("autocast_mode", "grad_scaler")):
            code = "AMP105" if device == "cuda" else "AMP108"
            return (code, f"{name} is deprecated: import torch.amp") if imported else None
        if name.startswith(module + "."):
            return _of_module(device, name, own, arguments, imported)
    return None


def _of_module(device, name, own, arguments, imported) -> tuple[str, str] | None:
    codes = {"autocast": "AMP106", "GradScaler": "AMP107", "custom_fwd": "AMP109", "custom_bwd": "AMP109"}
    if own not in codes:
        return None
    code = codes[own] if device == "cuda" else "AMP108"
    if imported:
        return code, f"{name} is deprecated: write from torch.amp import {own}"
    if own.startswith("custom"):
        rest = f", {arguments}" if arguments else ""
        return code, f'{name} is deprecated: write torch.amp.{own}(device_type="{device}"{rest})'
    first = f'"{device}"' + (f", {_keywords(own, arguments)}" if arguments else "")
    return code, f"{name} is deprecated: write torch.amp.{own}({first})"


def _keywords(own: str, arguments: str) -> str:
    """The arguments with the name that their new place asks for: `enabled` and `init_scale` came first."""
    first, comma, rest = arguments.partition(",")
    if re.match(r"\*|\w+\s*=[^=]", first):
        return arguments
    return f"{'enabled' if own == 'autocast' else 'init_scale'}={first}{comma}{rest}"


_APEX = {
    "master_params": "clip model.parameters() after scaler.unscale_(optimizer)",
    "state_dict": "save scaler.state_dict()",
    "load_state_dict": "load with scaler.load_state_dict()",
    "half_function": "decorate with torch.autocast(device_type), or cast the inputs",
    "float_function": "open torch.autocast(device_type, enabled=False) and cast the inputs with .float()",
}
_LEVELS = {
    "O0": "drop the call: O0 is float32",
    "O1": "use torch.autocast(device_type, dtype=torch.float16) with torch.amp.GradScaler(device)",
    "O2": "keep float32 parameters and use torch.autocast with torch.amp.GradScaler(device)",
    "O3": "call model.half() for inference, or train with torch.autocast and torch.amp.GradScaler(device)",
}


def _initialized(call: cst.Call | None) -> str:
    level = argument(call, "opt_level", 2) if call is not None else None
    text = level.evaluated_value if isinstance(level, cst.SimpleString) else "O1"
    return _LEVELS.get(text, _LEVELS["O1"])


_OLD_SWITCHES = {
    "torch.backends.cuda.matmul.allow_tf32": "torch.backends.cuda.matmul.fp32_precision",
    "torch.backends.cudnn.allow_tf32": "torch.backends.cudnn.conv.fp32_precision",
    "torch.set_float32_matmul_precision": "torch.backends.cuda.matmul.fp32_precision",
    "torch.get_float32_matmul_precision": "torch.backends.cuda.matmul.fp32_precision",
}


def mixed_switches(tree: Tree) -> Found:
    """AMP401: every old switch, if the file also has a new one and no branch for other versions holds the two."""
    meant = guarded(tree)
    named = [
        (node, name)
        for node in tree.nodes
        if isinstance(node, cst.Attribute | cst.Name) and node not in meant
        for name in tree.names(node)
    ]
    if any(name.startswith("torch.backends.") and name.endswith(".fp32_precision") for _, name in named):
        for node, name in named:
            if name in _OLD_SWITCHES:
                yield node, "AMP401", f"{name} is mixed with fp32_precision: write {_OLD_SWITCHES[name]} instead"
