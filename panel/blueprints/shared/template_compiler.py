"""Jinja environment of the site: its compiler, which writes less work into each template than Jinja's own.

What is the same for every request is done when a template is compiled: indentation is removed, included templates
become part of the one that includes them, and macros that are imported without context are made once. Pages are the
same as with Jinja's own compiler, to the byte.
"""

import re
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import markupsafe
from jinja2 import Environment, Template, TemplateNotFound, nodes
from jinja2.compiler import CodeGenerator, Frame, MacroRef
from jinja2.environment import TemplateModule
from jinja2.ext import Extension
from jinja2.runtime import Context, Macro
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
# The escaping function behind `escape`, which makes its result a Markup; what is printed needs none.
_escape_text: Any = getattr(markupsafe, "_escape_inner", markupsafe.escape)
# Called as they are, unless they ask for the context.
_PLAIN_CALLABLES = frozenset({FunctionType, MethodType, BuiltinFunctionType})


def init_environment(environment: Environment) -> None:
    """Let the environment compile with this module's classes."""
    environment.template_class = SharedMacros
    environment.code_generator_class = FastCode
    environment.context_class = FastContext
    environment.add_extension(Flush)


class Flush(Extension):
    """Jinja extension that removes indentation from HTML templates, so that pages are smaller. Values are unchanged."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return _INDENT.sub("", source) if (name or "").endswith((".html", ".svg")) else source


class SharedMacros(Template):
    """Jinja template whose macros are made once, for all that import them without context.

    Jinja compares the globals of both templates at each `{% from … import … %}`, a tenth of a page. Here all
    templates have those of the environment.
    """

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return super()._get_default_module()


class FastCode(CodeGenerator):
    """Jinja's code generator with includes in place, and with `printed` and `FastMacro` for `escape` and `Macro`."""

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        """Write the whole template."""
        if self.environment.loader is not None and not self.environment.auto_reload:
            _Includes(self.environment, self.name or "").visit(node)
        self.writeline(f"from {__name__} import FastMacro, printed")
        super().visit_Template(node, frame)

    def macro_def(self, macro_ref: MacroRef, frame: Frame) -> None:
        """Write `FastMacro(…)` for what Jinja writes as `Macro(…)`."""
        self.write("Fast")
        super().macro_def(macro_ref, frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if frame.eval_ctx.autoescape and not frame.eval_ctx.volatile and finalize.src is None:
            self.write("printed(")
        else:
            super()._output_child_pre(node, frame, finalize)


class _Includes(NodeTransformer):
    """Puts templates that are included by their name in the place of the include, in a scope of their own."""

    def __init__(self, environment: Environment, *names: str) -> None:
        self._environment, self._names = environment, names

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        """The included template's nodes; the include itself if only Jinja can do it."""
        name = node.template.value if isinstance(node.template, nodes.Const) else None
        if (
            not isinstance(name, str)
            or not node.with_context
            or name in self._names
            or not self._is_escaped_alike(name)
        ):
            return node
        try:
            source, filename, _is_fresh = self._environment.loader.get_source(self._environment, name)  # type: ignore[union-attr]
        except TemplateNotFound:
            return node
        included = self._environment.parse(source, name, filename)
        if included.find(nodes.Extends) is not None or included.find(nodes.Block) is not None:
            return node
        _Includes(self._environment, name, *self._names).visit(included)
        # Errors name the template that includes, so they give its line.
        included.set_lineno(node.lineno, override=True)
        return nodes.Scope(included.body, lineno=node.lineno)

    def _is_escaped_alike(self, name: str) -> bool:
        escapes = self._environment.autoescape
        return not callable(escapes) or escapes(name) == escapes(self._names[0])


class FastMacro(Macro):
    """Macro that is called without looking for what templates of ours don't have: variable positional arguments, and
    an escaping that differs from where it was defined."""

    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """The macro's text, safe where its template escapes."""
        if self.catch_varargs or self.explicit_caller or len(args) > self._argument_count:
            return super().__call__(*args, **kwargs)
        arguments = [*args, *[kwargs.pop(name, missing) for name in self.arguments[len(args) :]]]
        if self.caller:
            caller = kwargs.pop("caller", None)
            arguments.append(
                self._environment.undefined("No caller defined", name="caller") if caller is None else caller
            )
        if self.catch_kwargs:
            arguments.append(kwargs)
        elif kwargs:
            raise TypeError(f"macro {self.name!r} takes no keyword argument {next(iter(kwargs))!r}")
        text = self._func(*arguments)
        # What `Markup(text)` does in the end, without its questions about `text`.
        return str.__new__(Markup, text) if self._default_autoescape else text


class FastContext(Context):
    """Template context that calls macros and plain functions without first asking three times what they want."""

    def call(__self, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Call it as the template does."""
        kind = type(__obj)
        if kind is FastMacro or (kind in _PLAIN_CALLABLES and not hasattr(__obj, "jinja_pass_arg")):
            kwargs.pop("_block_vars", None)
            kwargs.pop("_loop_vars", None)
            return __obj(*args, **kwargs)
        return super().call(__obj, *args, **kwargs)


def printed(value: object) -> str:
    """The value as the page shows it: `escape` without making it a Markup, which nothing asks for any more."""
    kind = type(value)
    if kind is Markup:
        return value  # type: ignore[return-value]
    if kind is str:
        return _escape_text(value)  # type: ignore[no-any-return]
    return markupsafe.escape(value)
