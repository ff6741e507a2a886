"""Types the features of a joined table: which columns they are, and what each holds.

Step in the line: **files** -> Dataset.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from smalldata.datasets.assembling import kept_columns, listed, nearest, several
from smalldata.datasets.columns import type_column
from smalldata.datasets.dropping import any_is
from smalldata.datasets.joining import Column, JoinedTable, recurs
from smalldata.datasets.marks import Marks
from smalldata.datasets.naming import places_of
from smalldata.datasets.options import TableOptions
from smalldata.datasets.persons import persons_column
from smalldata.datasets.raw import RawTable
from smalldata.datasets.roles import where
from smalldata.datasets.sheets import feature_columns
from smalldata.datasets.side_by_side import Values
from smalldata.datasets.vocabulary import ID_NAMES
from smalldata.errors import ConfigError
from smalldata.findings import Finding


@dataclass(frozen=True, kw_only=True)
class Typing:
    """Types the features of one joined table.

    Attributes
    ----------
    joined : JoinedTable
    tables : mapping of str to RawTable
        The files, by block.
    options : TableOptions
    marks : Marks
        Takes up what stands beside numbers in the columns that are typed.
    """

    joined: JoinedTable
    tables: Mapping[str, RawTable]
    options: TableOptions
    marks: Marks

    @cached_property
    def given(self) -> dict[str, tuple[str, ...]]:
        """Columns that came as categories, with the order of these, if they have one."""
        return {
            column.name: self.tables[column.file].categories[column.own_name]
            for column in self.joined.columns
            if column.own_name in self.tables[column.file].categories
        }

    def where(self, row: int) -> str:
        """Name a row for a sentence."""
        return where(self.joined, row)

    def features(self) -> tuple[dict[str, Values], list[str], list[Finding], int]:
        """Type the features.

        Gives the columns, their blocks, what was left out (dates, empty columns), and in how many
        columns percent signs were taken off.
        """
        options = self.options
        categorical = several(options.categorical)
        chosen, left_out = self._chosen()
        features: dict[str, Values] = {}
        feature_blocks: list[str] = []
        n_percent = 0
        dates: list[str] = []
        empty: list[str] = []
        ids = set() if options.features is not None else self._ids(chosen).difference(categorical)
        is_plain = not (options.marks or options.zeros or options.drop_empty)
        merged = {
            column.name: met
            for column in chosen
            if (met := self.tables[column.file].met.get(column.own_name)) is not None
        }
        typed_slowly = ids.union(categorical, self.given, merged)
        for column in chosen:
            if is_plain and column.name not in typed_slowly and not isinstance(column.cells, list):
                features[column.name] = column.cells  # as most columns of a wide table
                feature_blocks.append(column.block)
                continue
            if column.name in ids:
                n_ids = recurs(column.own_name, column.cells, decimal=column.decimal)
                if n_ids:
                    left_out.append(persons_column(column.name, n_ids, len(column.cells)))
                    continue
            typed = type_column(
                column.cells,
                decimal=column.decimal,
                missing=options.marks,
                categorical=column.name in categorical or column.name in self.given,
                below_detection=options.below_detection,
                strip_flags=options.strip_flags,
                zeros_missing=options.zeros == "missing",
                gather=True,
                where=self.where,
                name=column.name,
            )
            if column.name in merged:
                typed = replace(typed, met=typed.met + merged[column.name])
            self.marks.add(column.name, typed)
            n_percent += typed.was_percent
            if typed.is_date:
                dates.append(column.name)
            elif options.drop_empty and bool(pd.isna(typed.values).all()):
                empty.append(column.name)
            else:
                features[column.name] = self._in_order(column, typed.values)
                feature_blocks.append(column.block)
        suspects = [f for t in self.tables.values() for f in t.findings if f.code == "SD014"]
        self.marks.check(self.where, suspects)
        told = [("SD029", "holds dates", dates), ("SD024", "holds no value", empty)]
        left_out += [
            Finding(
                code=code,
                what=f"{len(columns)} column{'s' * (len(columns) > 1)} left out, since each "
                f"{reason}",
                evidence=listed(columns),
            )
            for code, reason, columns in told
            if columns
        ]
        return features, feature_blocks, left_out, n_percent

    def _chosen(self) -> tuple[list[Column], list[Finding]]:
        """Choose the columns that are features, and say which of the samples' were left out."""
        options = self.options
        apart = list(options.roles.values())
        names = [column.name for column in self.joined.columns]
        for entry in several(options.categorical):
            if entry not in names:
                raise ConfigError(
                    f"categorical must name columns; there is no column {entry!r}"
                    f"{nearest(entry, names)}"
                )
        candidates, left_out = feature_columns(self.joined.columns, self.tables, options)
        names = [column.name for column in candidates]
        no_candidates = {column.name for column in self.joined.columns}.difference(names)
        no_candidates |= {*apart, self.joined.id_name}
        kept = kept_columns(
            names,
            [column.block for column in candidates],
            blocks=None if options.blocks is None else several(options.blocks),
            drop=[
                entry
                for entry in several(options.drop)
                if any_is(entry, names) or not any_is(entry, no_candidates)
            ],
        )
        return [candidates[place] for place in kept], left_out

    @staticmethod
    def _ids(columns: list[Column]) -> set[str]:
        """Names of the columns that are called like ids."""
        return {
            columns[place].name
            for place in places_of([column.own_name for column in columns], ID_NAMES)
        }

    def _in_order(self, column: Column, values: Values) -> Values:
        order = self.given.get(column.name)
        if not order or not isinstance(values, pd.Categorical):
            return values
        present = set(values.categories)  # a level that stands for a missing value is none
        levels = [level for level in order if level in present]
        return values.set_categories(levels, ordered=True)
