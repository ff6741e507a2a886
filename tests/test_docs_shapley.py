"""The code of docs/shapley.md runs, in its order, and gives what the page says."""

import ast
import re
from pathlib import Path

import smalldata.shapley

PAGE = Path(__file__).resolve().parents[1] / "docs" / "shapley.md"


def test_every_code_block_of_the_page_prints_its_output(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    known = {}
    n_results = 0
    for block in blocks:
        code, _, said = block.partition("# -> ")
        tree = ast.parse(code)
        last = tree.body.pop() if said and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(PAGE), "exec"), known)
        given = capsys.readouterr().out.strip()
        if last is not None:
            given = repr(eval(compile(ast.Expression(last.value), str(PAGE), "eval"), known))
        assert given == said.strip(), code
        n_results += bool(said)
    assert n_results == len(blocks) == 7


def test_every_public_function_is_documented_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for name in smalldata.shapley.__all__:
        assert f"`{name}`" in page, name
