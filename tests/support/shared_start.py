"""Caches shared by the apps of one test process, for what each would compute again from the same text.

Every test creates its own app, and most of that time goes to URL rules, templates, content and stylesheets. Each
result is cached under the whole text that it is made from, so a changed text is read again. State of an app or a
database is never shared. Panels that are forked from `warm_start` begin with these caches, cold ones without.
"""

import copy
import functools
import gc
import inspect
import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from pathlib import Path
from threading import Lock
from types import CodeType
from typing import Any, ClassVar

import frontmatter
from flask import Flask
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.engine.interfaces import Compiled
from werkzeug.routing import Map, Rule, RuleFactory
from werkzeug.routing.matcher import StateMachineMatcher

from panel import assets
from panel.application import SyncFlask
from panel.assets import stylesheets
from panel.assets.encodings import compress
from panel.blueprints.shared import help_texts
from panel.services.catalogue import tool_texts
from panel.services.help import content, markdown
from panel.services.help.content import Content
from panel.services.help.markdown import Prose

INCLUDE = re.compile(r'{%-?\s*include\s+"([^"]+)"[\s\w]*-?%}')


class SharedRule(Rule):
    """A URL rule whose compiled form is that of an equal rule of an earlier app. Nothing changes it afterwards."""

    compiled: ClassVar[dict[object, dict[str, Any]]] = {}

    def compile(self) -> None:
        """Copy the attributes that an equal rule set when it was compiled."""
        key = self._everything_it_depends_on()
        if key not in self.compiled:
            before = {name: copy.copy(value) for name, value in vars(self).items()}
            super().compile()
            self.compiled[key] = {
                name: value.__func__ if inspect.ismethod(value) else value
                for name, value in vars(self).items()
                if name != "map" and (name not in before or value != before[name])
            }
            return
        own = vars(self)
        for name, value in self.compiled[key].items():
            own[name] = value.__get__(self, None) if inspect.isfunction(value) else value

    def _everything_it_depends_on(self) -> object:
        return (
            self.rule,
            self.host,
            self.subdomain,
            self.merge_slashes,
            repr(self.defaults),
            self.map.host_matching,
            tuple(self.map.converters.items()),
        )


class SharedMap(Map):
    """A URL map that takes the bound rules of the first app of this process when its own are equal.

    Rules wait until the map is used. One that is added later, by a test, makes the map bind rules of its own.
    """

    first: ClassVar[tuple[object, "SharedMap"] | None] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._unbound: list[Rule] = []
        self._turn = Lock()
        super().__init__(*arguments, **options)

    def add(self, rulefactory: RuleFactory) -> None:
        self._unbound.extend(rulefactory.get_rules(self))
        self._remap = True

    def update(self) -> None:
        """Make the rules ready, before the map is used."""
        if self._remap:
            with self._turn:
                self._take_or_bind()

    def _take_or_bind(self) -> None:
        if not self._remap:
            return
        key = self._everything_it_depends_on()
        if SharedMap.first is not None and SharedMap.first[0] == key:
            equal = SharedMap.first[1]
            self._matcher, self._rules_by_endpoint = equal._matcher, equal._rules_by_endpoint
            self._remap = False
            return
        self._matcher, self._rules_by_endpoint = StateMachineMatcher(self.merge_slashes), {}
        for unbound in self._unbound:
            rule = copy.copy(unbound)
            rule.arguments = set(unbound.arguments)
            super().add(rule)
        super().update()
        if SharedMap.first is None:
            SharedMap.first = key, self

    def _everything_it_depends_on(self) -> object:
        return of_map(self), dict(self.converters), [of_rule(rule) for rule in self._unbound]


of_map = attrgetter(
    "default_subdomain", "strict_slashes", "merge_slashes", "redirect_defaults", "sort_parameters", "host_matching"
)
of_rule = attrgetter(
    "rule",
    "endpoint",
    "methods",
    "defaults",
    "subdomain",
    "host",
    "strict_slashes",
    "merge_slashes",
    "build_only",
    "alias",
    "websocket",
    "redirect_to",
    "provide_automatic_options",
)


class SharedTemplates(BytecodeCache):
    """Jinja's compiled templates, by name, source and the environment's part of the code.

    The code of a template holds those that it includes, so it is used while their files are unchanged.
    """

    def __init__(self) -> None:
        self.codes: dict[object, tuple[CodeType, dict[str, int]]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        code, included = self.codes.get(self._key(bucket), (None, {}))
        if all(Path(path).stat().st_mtime_ns == changed_at for path, changed_at in included.items()):
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            files = _included_files(bucket.environment, bucket.code.co_filename)
            self.codes[self._key(bucket)] = bucket.code, {path: Path(path).stat().st_mtime_ns for path in files}

    def _key(self, bucket: Bucket) -> object:
        environment = bucket.environment
        escapes = environment.autoescape if isinstance(environment.autoescape, bool) else "by name"
        # How a filter is called is part of the code, and the benches' bare app has filters of its own.
        takes_context = frozenset(name for name, each in environment.filters.items() if hasattr(each, "jinja_pass_arg"))
        return (
            bucket.key,
            bucket.checksum,
            escapes,
            environment.finalize,
            environment.keep_trailing_newline,
            takes_context,
            environment.code_generator_class,
            # A server that reloads compiles no template into the one that includes it.
            environment.auto_reload,
        )


def _included_files(environment: Environment, path: str) -> set[str]:
    """The files that a template includes by name, and those that they include."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        for name in INCLUDE.findall(Path(waiting.pop()).read_text()):
            _source, file, _is_fresh = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
            if file is not None and file not in found:
                found.add(file)
                waiting.append(file)
    return found


class SharedStatements(dict[Any, Compiled]):
    """SQLAlchemy's compiled statements by what they say and the kind of database, whichever engine asked for them."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(self._whatever_engine(key), default)

    def __setitem__(self, key: Any, compiled: Compiled) -> None:
        super().__setitem__(self._whatever_engine(key), compiled)

    def _whatever_engine(self, key: Any) -> Any:
        dialect, *others = key
        return (dialect.name, *others)


STATEMENTS = SharedStatements()


def share_statements(engine: Engine) -> None:
    """Let this engine take the statements that an earlier one compiled, and add its own."""
    engine.update_execution_options(compiled_cache=STATEMENTS)


def share() -> None:
    """Turn sharing on for the apps of this process."""
    Flask.url_rule_class = SharedRule
    Flask.url_map_class = SharedMap
    # Its own options hide those of Flask.
    SyncFlask.jinja_options = {**SyncFlask.jinja_options, "bytecode_cache": SharedTemplates()}
    stylesheets.minify = functools.cache(stylesheets.minify)
    setattr(assets, "compress", functools.cache(compress))  # noqa: B010
    setattr(help_texts, "load", _shared_content(content.load))  # noqa: B010
    frontmatter.loads = functools.cache(frontmatter.loads)
    read_prose = _shared_prose(markdown.read_prose)
    for module in (content, tool_texts):
        setattr(module, "read_prose", read_prose)  # noqa: B010


def freeze() -> None:
    """Exclude modules and tests from garbage collection, since they stay until the end."""
    gc.collect()
    gc.freeze()
    # An app is a reference cycle of 30,000 objects: collect several together.
    gc.set_threshold(700, 10, 40)
    gc.enable()


class CheckedContent(Content):
    """Help texts whose links the first app of this process has checked."""

    def check_links(self, leads_somewhere: Callable[[str], bool]) -> None:
        """Check the links once: all apps have the same routes."""
        if not vars(self).get("are_links_checked"):
            super().check_links(leads_somewhere)
            vars(self)["are_links_checked"] = True


def _shared_content(load: Any) -> Any:
    @functools.cache
    def read(folder: Path, facts: tuple[tuple[str, str], ...], _files: tuple[tuple[str, int], ...]) -> Content:
        loaded = load(folder, facts=dict(facts))
        return CheckedContent(loaded.statuses, loaded.guides, loaded.questions)

    def shared(folder: Path, *, facts: Mapping[str, str]) -> Content:
        files = tuple(sorted((str(path), path.stat().st_mtime_ns) for path in folder.glob("*/*")))
        return read(folder, tuple(sorted(facts.items())), files)

    return shared


def _shared_prose(read_prose: Any) -> Any:
    @functools.cache
    def read(text: str, facts: tuple[tuple[str, str], ...]) -> Prose:
        prose: Prose = read_prose(text, facts=dict(facts))
        return prose

    def shared(text: str, *, facts: Mapping[str, str]) -> Prose:
        return read(text, tuple(sorted(facts.items())))

    return shared
