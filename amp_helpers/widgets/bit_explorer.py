"""The bit explorer: one code of one format, every bit a switch."""

from __future__ import annotations

from html import escape

import traitlets

from amp_helpers.formats import FORMATS, FloatFormat, classify, decode, encode, fields
from amp_helpers.typed_number import parse_number

from .base import BookWidget


class _Code(traitlets.Unicode):
    """A code as a hexadecimal string, since 64 bits exceed JavaScript's numbers; integers are accepted too."""

    def validate(self, obj, value):
        if isinstance(value, int) and not isinstance(value, bool):
            value = hex(value)
        return super().validate(obj, value)


class BitExplorer(BookWidget):
    """One code of one format, every bit a switch.

    Args (all of them traits, shared with the page):
        format: a key of `FORMATS`, or "custom". Changing it keeps the number and rounds it anew.
        code: the code, "0x..." or "0b..." or an integer; by default the code of `typed`, else of 1.
        typed: a decimal number or fraction that the bits round, such as "0.1" or "1/3", or "inf" or "nan"; Python reads
            it as a float64. The page shows the error against it. Changing `code` empties it.
        exponent_bits, significand_bits, bias, specials, signed: the custom format, as in `FloatFormat`.
        compact: True leaves out the table of all formats.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/01_float_bits.ipynb
    """

    _kind = "bit_explorer"

    format = traitlets.Unicode("float16").tag(sync=True)
    code = _Code("0x3c00").tag(sync=True)
    typed = traitlets.Unicode("").tag(sync=True)
    exponent_bits = traitlets.Int(4).tag(sync=True)
    significand_bits = traitlets.Int(3).tag(sync=True)
    bias = traitlets.Int(7).tag(sync=True)
    specials = traitlets.Unicode("ieee").tag(sync=True)
    signed = traitlets.Bool(True).tag(sync=True)
    compact = traitlets.Bool(False).tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **kwargs):
        self._follow = False  # whether a change of one trait moves the others
        super().__init__(**kwargs)
        self._shown = self.float_format
        if "code" not in kwargs:
            self.code = self._round(parse_number(self.typed) if self.typed else 1.0)
        self._follow = True

    @property
    def float_format(self) -> FloatFormat:
        """The `FloatFormat` on show."""
        if self.format != "custom":
            return FORMATS[self.format]
        parameters = self.exponent_bits, self.significand_bits, self.bias, self.specials, self.signed
        return FloatFormat("custom", *parameters)

    @property
    def value(self) -> float:
        """The value of the bits, exactly; assigning a number rounds it to the format."""
        return decode(int(self.code, 16), self.float_format)

    @value.setter
    def value(self, number: float):
        self.typed = repr(float(number))

    def _round(self, number: float) -> str:
        return hex(encode(number, self.float_format))

    # --- traits: each is checked on its own, then together ------------------------------------------------------

    @traitlets.validate("format")
    def _check_format(self, proposal):
        choices = [*FORMATS, "custom"]
        if proposal.value not in choices:
            raise traitlets.TraitError(f"unknown format {proposal.value!r}; choose from {', '.join(choices)}")
        return proposal.value

    @traitlets.validate("exponent_bits", "significand_bits", "bias", "specials", "signed")
    def _check_custom(self, proposal):
        names = "exponent_bits", "significand_bits", "bias", "specials", "signed"
        parameters = {name: getattr(self, name) for name in names} | {proposal.trait.name: proposal.value}
        try:
            FloatFormat("custom", **parameters)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return proposal.value

    @traitlets.validate("code")
    def _check_code(self, proposal):
        fmt = self.float_format
        try:
            code = int(proposal.value, 0)
            fields(code, fmt)
        except ValueError:
            raise traitlets.TraitError(
                f"code {proposal.value!r} is not a code of {fmt.name}: 0x0 to {hex((1 << fmt.bits) - 1)}"
            ) from None
        return f"0x{code:0{-(-fmt.bits // 4)}x}"

    @traitlets.validate("typed")
    def _check_typed(self, proposal):
        if proposal.value.strip():
            try:
                number = parse_number(proposal.value)
                if self._follow:
                    self._round(number)
            except ValueError as error:
                raise traitlets.TraitError(str(error)) from None
        return proposal.value.strip()

    @traitlets.observe("format", "exponent_bits", "significand_bits", "bias", "specials", "signed")
    def _format_changed(self, change):
        if not self._follow or self.float_format == self._shown:
            return
        number = parse_number(self.typed) if self.typed else decode(int(self.code, 16), self._shown)
        self._shown = self.float_format
        try:
            self._move(code=self._round(number), typed=self.typed)
        except ValueError:  # a NaN, and the new format has none
            self._move(code="0x0", typed="")

    @traitlets.observe("code")
    def _code_changed(self, change):
        if self._follow:
            self._move(typed="")

    @traitlets.observe("typed")
    def _typed_changed(self, change):
        if self._follow and self.typed:
            self._move(code=self._round(parse_number(self.typed)), typed=self.typed)

    def _move(self, **traits):
        """Set traits that belong together, without one moving another."""
        self._follow = False
        try:
            for name, value in traits.items():
                setattr(self, name, value)
        finally:
            self._follow = True

    def set_state(self, sync_data):
        """The page sends traits that already fit together."""
        self._follow = False
        try:
            super().set_state(sync_data)
        finally:
            self._follow = True
            self._shown = self.float_format

    # --- the page without scripts -------------------------------------------------------------------------------

    def fallback(self) -> str:
        fmt, code = self.float_format, int(self.code, 16)
        kind = classify(code, fmt)
        bits = f"{code:0{fmt.bits}b}"
        sign, exponent, fraction = fields(code, fmt)
        special = kind in ("infinity", "nan")
        implied = 0 if kind in ("zero", "subnormal") else 1
        power = f"{exponent if implied else 1} − {fmt.bias} = {(exponent if implied else 1) - fmt.bias}"
        start, middle = int(fmt.signed), int(fmt.signed) + fmt.exponent_bits
        columns = [
            ("sign", bits[:start], "−" if sign else "+"),
            ("exponent", bits[start:middle], "reserved" if special else f"2 to the power {power}"),
            (
                "fraction",
                bits[middle:],
                f"{fraction}" if kind in ("infinity", "nan") else f"{implied}.{bits[middle:]} in binary",
            ),
        ]
        columns = [column for column in columns if column[1]]
        head = "".join(f'<th scope="col">{name}</th>' for name, _, _ in columns)
        codes = "".join(f"<td><code>{digits}</code></td>" for _, digits, _ in columns)
        meanings = "".join(f"<td>{meaning}</td>" for _, _, meaning in columns)
        typed = f", rounded from {escape(self.typed)}" if self.typed else ""
        caption = f"{fmt.name} code {self.code} = {self.value!r} ({'NaN' if kind == 'nan' else kind}{typed})"
        rows = f"<tr>{codes}</tr><tr>{meanings}</tr>"
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
