"""A text that cannot be read says where, what was read and what would be right."""

import pickle

import pytest

from ostinato import EquationError, OstinatoError
from ostinato.equations.parse import parse

SUM = "h' = tanh(W @ x + U @ h + b)"
"""A good line, where a bad one needs company."""


def case(sentence: str, text, line: int, column: int, read: str, right: str = ""):
    """One bad text: the place, what its message says was read, and what it says would be right."""
    return pytest.param(text, line, column, read, right, id=sentence)


UNKNOWN_FUNCTIONS = [
    case(
        "an unknown function suggests the nearest", "h' = sigmod(x)", 1, 6, "'sigmod' is not known", "mean 'sigmoid'?"
    ),
    case("a function in capitals suggests its name", "h' = TANH(x)", 1, 6, "'TANH' is not known", "mean 'tanh'?"),
    case("a function like no other lists all", "h' = foo(x)", 1, 6, "'foo' is not known", "Known are sigmoid, tanh"),
    case("a vector is no function", "h' = h(x)", 1, 6, "'h' is not known", "Write * between the factors"),
    case("a sum is no function", "h' = (h + x)(x)", 1, 6, "'h + x' is called", "Write * between the factors"),
    case("a number is no function", "h' = 2(x)", 1, 6, "'2' is called as a function", "Write * between"),
    case("a method is no function", "h' = x.tanh()", 1, 6, "'x.tanh' is called", "called by its name"),
    case(
        "derivatives' own functions are not for users", "h' = count(x) * x", 1, 6, "'count' is not known", "Known are"
    ),
    case("a function without brackets", "h' = h + tanh", 1, 10, "'tanh' stands without brackets", "Write tanh(…)"),
    case("an alias without brackets", "h' = h + σ", 1, 10, "'σ' stands without brackets", "Write σ(…)"),
    case("a function left of @", "h' = tanh @ x", 1, 6, "'tanh' stands left of @", "Only a parameter"),
    case("no argument", "h' = tanh()", 1, 6, "tanh was given 0 arguments", "It takes 1"),
    case("one argument of two", "h' = maximum(x)", 1, 6, "maximum was given 1 argument.", "It takes 2"),
    case("an argument too many", "h' = tanh(x, h)", 1, 6, "tanh was given 2 arguments", "It takes 1"),
    case("where without its else", "h' = where(x > 0, x)", 1, 6, "where was given 2 arguments", "It takes 3"),
    case(
        "a keyword argument",
        "h' = softmax(x, dim=1)",
        1,
        6,
        "'softmax(x, dim=1)' passes an argument",
        "plain arguments",
    ),
    case("a starred argument", "h' = tanh(*x)", 1, 6, "'tanh(*x)' passes an argument by name or by star", "plain"),
    case(
        "a row function of one number",
        "h' = x + softmax(2)",
        1,
        10,
        "softmax was given one number, '2'",
        "over a vector",
    ),
    case("the sum of a sum", "h' = x + sum(sum(x))", 1, 10, "sum was given one number, 'sum(x)'", "over a vector"),
]

NAMES = [
    case("a state defined twice", "h' = x\nh' = h", 2, 1, "'h'' is defined twice", "It was defined on line 1"),
    case("a value defined twice", "\na = x\na = h\nh' = a", 3, 1, "'a' is defined twice", "It was defined on line 2"),
    case("a constant defined twice", "a = 1\na = 2\nh' = a * x", 2, 1, "'a' is defined twice", "on line 1"),
    case("a name both plain and primed", "h = x\nh' = h", 2, 1, "both 'h' and 'h''", "h is the state before the step"),
    case("a state never primed", "h = tanh(W @ x + U @ h)", 1, 1, "no line defines a state", "Write h' = …"),
    case("several values and no state", "a = tanh(x)\nm = a * m", 2, 1, "no line defines a state", "Write m' = …"),
    case(
        "an unused line", f"a = sigmoid(x)\n{SUM}", 1, 1, "'a' is defined and never used", "Use it, or remove the line"
    ),
    case("an unused constant", f"{SUM}\nleak = 0.3", 2, 1, "'leak' is defined and never used", "Use it, or remove"),
    case(
        "a value used before its line", "a = b + x\nb = x\nh' = a + b", 1, 5, "'b' is used before", "defined on line 2"
    ),
    case(
        "a value that needs itself", f"a = a + x\n{SUM} + a", 1, 5, "'a' is used in its own definition", "Write a' = …"
    ),
    case("a next value that needs itself", "h' = x + h'", 1, 10, "'h'' is used before it is defined", "drop the prime"),
    case("a next value before its line", "h' = c'\nc' = x", 1, 6, "'c'' is used before", "It is defined on line 2"),
    case("a primed name no line defines", "h' = g' + x", 1, 6, "'g'' is used, and no line", "Defined are h'"),
    case("a primed input", "h' = x' + h", 1, 6, "'x'' is used, and no line defines it", "Defined are h'"),
    case(
        "an output no line defines", "h' = tanh(W @ x + U @ y)", 1, 23, "'y' is used, and no line", "y' = … for a state"
    ),
    case("the input defined", "x = h\nh' = x", 1, 1, "'x' is defined", "x is the input of the step"),
    case("the input primed and defined", "x' = h", 1, 1, "'x'' is defined", "x is the input of the step"),
    case("the time defined", "dt = 0.1\nh' = dt * x", 1, 1, "'dt' is defined", "dt is the time since the last step"),
    case("a function defined", "tanh = x\nh' = tanh", 1, 1, "'tanh' is defined", "tanh is a function"),
    case("an alias defined", "LN = x\nh' = LN", 1, 1, "'LN' is defined", "LN is a function"),
    case(
        "a name with an underscore first", "h' = _a + x", 1, 6, "'_a' is not a name of equations", "start with a letter"
    ),
    case("a word Python keeps", "lambda = 0.3\nh' = lambda * x", 1, 1, "'lambda' was read", "Write lambda_ or another"),
    case(
        "a word Python keeps, on the right", "h' = tanh(x +\n  U @ in)", 2, 7, "'in' was read", "Write in_ or another"
    ),
    case("a state that never changes", "h' = b", 1, 1, "'h'' is the same at every step", "Neither x nor a state"),
    case("an output that never changes", f"{SUM}\ny = tanh(c)", 2, 1, "'y' is the same at every step", "Neither x nor"),
    case("an output of one number", f"{SUM}\ny = sum(h)", 2, 1, "the output y is one number", "cell is a vector"),
    case("a constant output", f"{SUM}\ny = 3", 2, 1, "the output y is one number", "cell is a vector"),
]

PRIMES = [
    case("two primes", "h'' = x", 1, 1, "'h''' is not a name", "A prime stands once, at the end: h'"),
    case("a prime in front", "'h = x", 1, 1, "''h' is not a name", "A prime stands once, at the end"),
    case("a prime in the middle", "h'2 = x", 1, 1, "'h'2' is not a name", "A prime stands once, at the end"),
    case("a prime alone", "h' = ' + x", 1, 6, "''' is not a name", "A prime stands once"),
    case("a prime after a bracket", "h' = (x)'", 1, 9, "''' cannot be read here", "with an operator between"),
    case("a double prime", "h″ = x", 1, 2, "'″ = x' cannot be read here", "A line reads name = expression"),
    case("a prime on a matrix", "h' = W' @ x", 1, 6, "'W'' stands left of @", "Only a parameter multiplies"),
]

SHAPES_OF_LINES = [
    case("chained assignment", "h' = a = x", 1, 6, "'a' stands left of =", "Write name = expression"),
    case("two targets", "h', c' = x", 1, 1, "'h', c'' stands left of =", "One name is defined by each equation"),
    case("a sum on the left", "h' + 1 = x", 1, 1, "'h' + 1' stands left of =", "One name is defined"),
    case("a call on the left", "f(x) = h", 1, 1, "'f(x)' stands left of =", "One name is defined"),
    case("a number on the left", "3 = h", 1, 1, "'3' stands left of =", "One name is defined"),
    case("a part on the left", "h[0] = x", 1, 1, "'h[0]' stands left of =", "One name is defined"),
    case("a second statement", "h' = x; y = h'", 1, 9, "a second statement stands on this line", "without ;"),
    case("nothing on the right", f"{SUM}\ny =  # later", 2, 4, "'y =' ends too early", "inside brackets"),
    case("nothing on the left", "= tanh(x)", 1, 1, "'= tanh(x)' cannot be read here", "name = expression"),
    case("no equals sign", "W @ x + U @ h", 1, 1, "'W @ x + U @ h' is not an equation", "Give the value a name"),
    case("two equals signs", "h' == tanh(x)", 1, 1, "'h' == tanh(x)' is not an equation", "Write a single ="),
    case("plus equals", "h' += x", 1, 1, "'h' += x' is not an equation", "Write h' = … in full"),
    case("a size and a value at once", "h' : H = x", 1, 1, "'h' : H = x' is not an equation", "on a line of its own"),
    case("an import", "import os\nh' = x", 1, 1, "'import os' is not an equation", "nothing but equations"),
    case("a loop", "for i in x: h' = i", 1, 1, "is not an equation", "nothing but equations"),
    case("a function definition", "def f(a): return a", 1, 1, "is not an equation", "nothing but equations"),
    case("a sum goes on without brackets", "h' = W @ x +\n     U @ h", 1, 13, "ends too early", "inside brackets"),
    case("a backslash at the end", "h' = x + \\\n  h", 1, 11, "ends too early", "inside brackets"),
    case("two values side by side", "h' = W x", 1, 8, "'x' cannot be read here", "an operator between any two values"),
    case("a number before a name", "h' = 2h", 1, 6, "'2h' cannot be read here", "an operator between"),
    case("a sign that means nothing", "h' = tanh(x) ? h", 1, 14, "'? h' cannot be read here", "an operator between"),
    case("two stars too many", "h' = x *** 2", 1, 10, "'* 2' cannot be read here", "an operator between"),
]

BRACKETS = [
    case("a bracket never closed", "h' = tanh(W @ x", 1, 10, "'(' is opened here and never closed", "Add the ')'"),
    case(
        "a bracket open over many lines", "h' = tanh(\n  W @ x +\n  (U @ h\n", 3, 3, "'(' is opened here", "Add the ')'"
    ),
    case(
        "a bracket open before the next line", f"f = sigmoid(W @ x\n{SUM}\ny = f", 1, 12, "never closed", "Add the ')'"
    ),
    case("a square bracket never closed", "h' = x[0", 1, 7, "'[' is opened here and never closed", "Add the ']'"),
    case("a bracket never opened", "h' = tanh(x))", 1, 13, "')' closes a bracket that was not opened", "Remove it"),
    case("a bracket closed by another", "h' = tanh(x]", 1, 12, "']' closes '('", "open it with '['"),
    case("brackets crossed over lines", "h' = tanh([x\n  + h)]", 2, 6, "')' closes '['", "open it with '('"),
]

WHAT_IS_NO_EXPRESSION = [
    case("a comparison on its own", "h' = x > 0", 1, 6, "the comparison 'x > 0' stands on its own", "where(a > b,"),
    case(
        "a comparison as an argument", "h' = tanh(x > 0)", 1, 11, "comparison 'x > 0' stands", "first argument of where"
    ),
    case("where without a comparison", "h' = where(x, h, 0)", 1, 12, "'x' is the first argument of where", "a > b"),
    case("where with an equality", "h' = where(x == 0, h, x)", 1, 12, "'x == 0' is the first argument", "a <= b"),
    case(
        "where with two comparisons", "h' = where(0 < x < 1, h, x)", 1, 12, "'0 < x < 1' is the first", "one comparison"
    ),
    case("an if", "h' = x if x > 0 else h", 1, 6, "'x if x > 0 else h' is not an expression", "Write where(a > b"),
    case("an and", "h' = x and h", 1, 6, "'x and h' combines truths", "Nest where"),
    case("a not", "h' = not x", 1, 6, "'not x' combines truths", "Nest where"),
    case(
        "an index of time", "h_{t} = tanh(W @ x)", 1, 1, "'h_{t}' was read", "h is a state before the step, h' after it"
    ),
    case("an index of time on the right", "h' = tanh(U @ h_{t-1})", 1, 15, "'h_{t-1}' was read", "Time has no index"),
    case("a subscript", "h' = x[0]", 1, 6, "'x[0]' takes a part of a vector", "Give each part its own parameter"),
    case("a slice", "h' = h + x[1:]", 1, 10, "'x[1:]' takes a part of a vector", "Parts cannot be taken"),
    case("an attribute", "h' = x.shape", 1, 6, "'.shape' was read", "Only .T, the transpose of a matrix"),
    case("a transposed vector", "h' = W @ x + b.T", 1, 14, "'b.T' stands without @", "W.T @ h"),
    case(
        "a matrix without a vector", "h' = W.T", 1, 6, "'W.T' stands without @", "A transpose multiplies from the left"
    ),
    case("a lambda", "h' = lambda z: z", 1, 6, "'lambda z: z' is not an expression", "Known are names, numbers"),
    case("a walrus", "h' = (z := x)", 1, 7, "'z := x' is not an expression", "Known are names, numbers"),
    case("an f-string", 'h\' = f"{x}"', 1, 6, "'f\"{x}\"' is not an expression", "Known are names, numbers"),
    case("a string", 'h\' = "x"', 1, 6, "'\"x\"' is not an expression", "Known are names, numbers"),
    case("a string in single quotes", "h' = 'x'", 1, 6, "''x'' is not a name", "A prime stands once"),
    case("a list", "h' = [x, h]", 1, 6, "'[x, h]' is not an expression", "W @ [x, h] of papers is W @ x + U @ h"),
    case("a tuple", "h' = x, h", 1, 6, "'x, h' is not an expression", "Known are names, numbers"),
    case("a dictionary", "h' = {x: h}", 1, 6, "'{x: h}' is not an expression", "Known are names, numbers"),
    case("a comprehension", "h' = [i for i in x]", 1, 6, "is not an expression", "Known are names, numbers"),
    case("None", "h' = None", 1, 6, "'None' is not an expression", "Known are names, numbers"),
    case("True", "h' = True * x", 1, 6, "'True' is not an expression", "Known are names, numbers"),
    case("an ellipsis", "h' = x + ...", 1, 10, "'...' is not an expression", "Known are names, numbers"),
    case("a yield", "h' = (yield)", 1, 7, "'yield' is not an expression", "Known are names"),
    case("whole division", "h' = x // 2", 1, 6, "operator in 'x // 2' is not known", "Write / for division"),
    case("a remainder", "h' = x % 2", 1, 6, "operator in 'x % 2' is not known", "There is no remainder"),
    case("a caret", "h' = x ^ 2", 1, 6, "operator in 'x ^ 2' is not known", "A power is written **"),
    case("an ampersand", "h' = x & h", 1, 6, "operator in 'x & h' is not known", "where(a > b, this, that)"),
    case("a tilde", "h' = ~x", 1, 6, "'~x' combines truths", "Nest where"),
    case("a complex number", "h' = 3j * x", 1, 6, "'3j' is not a number of equations", "finite and real"),
    case("an infinite number", "h' = 1e999 * x", 1, 6, "'1e999' is not a number", "finite and real"),
    case("a huge whole number", f"h' = {'9' * 400} * x", 1, 6, "9999999…' is not a number", "finite and real"),
]

SIZES = [
    case(
        "x added to another size",
        "h : 2*H\nh' = W @ h + x",
        2,
        6,
        "sizes conflict in 'W @ h + x': 2*H and D",
        "h is declared 2*H (2*H); the input x has D numbers (D)",
    ),
    case(
        "one matrix for two sizes",
        "c : 3\nh : H\nh' = U @ h + U @ c\nc' = V @ h",
        3,
        14,
        "sizes conflict in 'U @ c': H",
        "h is declared H (H); c is declared 3 (3)",
    ),
    case(
        "a value of another size than declared",
        "f : 2*H\nh : H\nf = tanh(h)\nh' = W @ f",
        3,
        5,
        "2*H and H",
        "f is declared 2*H (2*H); h is declared H (H)",
    ),
    case(
        "a maximum of two sizes", "c : 3\nc' = max(W @ c, x)", 2, 6, "sizes conflict in 'max(W @ c, x)'", "put a matrix"
    ),
    case("a matrix used as a vector", "h' = W + W @ x", 1, 6, "'W' is used as a vector", "it stands left of @"),
    case("a vector left of @", "h' = h @ x", 1, 6, "'h' stands left of @", "h is a vector; only a parameter"),
    case(
        "the input left of @",
        "h' = x @ W",
        1,
        6,
        "'x' stands left of @",
        "x is a vector; only a parameter multiplies from the left. Write W @ x",
    ),
    case("a value left of @", "a = tanh(x)\nh' = a @ h", 2, 6, "'a' stands left of @", "a is a vector"),
    case("a constant left of @", "W = 3\nh' = W @ x", 2, 6, "'W' stands left of @", "W is a number; only a parameter"),
    case("a state transposed", "h' = h.T @ x", 1, 6, "'h' stands left of @", "h is a vector"),
    case("an expression left of @", "h' = (W + V) @ x", 1, 7, "'W + V' stands left of @", "Only a parameter"),
    case("a product by numbers left of @", "h' = 2 * W @ x", 1, 6, "'2 * W' stands left of @", "Write * for a product"),
    case("a number right of @", "h' = W @ 3", 1, 10, "'3' is one number and stands right of @", "Write * instead"),
    case(
        "a sum right of @",
        "s = sum(x)\nh' = h + W @ s",
        2,
        14,
        "'s' is one number and stands right of @",
        "multiplies a v",
    ),
    case(
        "the time right of @", "h' = h + W @ dt", 1, 14, "'dt' is one number and stands right of @", "Write * instead"
    ),
    case("a vector as an exponent", "h' = h ** x", 1, 11, "'x' is an exponent", "Write exp(b * log(a))"),
    case("a number that becomes a state", "h' = 0.5", 1, 6, "'h' = 0.5' gives one number", "The state h is a vector"),
    case("a sum that becomes a state", "h : 1\nh' = sum(x)", 2, 6, "gives one number", "The state h is a vector"),
    case("a sum declared a vector", "c : 3\nc = sum(x)\nh' = W @ c + h", 2, 5, "gives one number", "c is a vector"),
    case(
        "a vector declared one number",
        "c : scalar\nc = x\nh' = c * h",
        2,
        5,
        "'c' is declared scalar",
        "Use sum or mean",
    ),
    case(
        "a state declared one number", "h : scalar\nh' = 0.5 * h", 2, 6, "state 'h' is declared scalar", "Declare h : 1"
    ),
    case("a size of nothing", f"h : 0\n{SUM}", 1, 5, "'0' is declared as the size of 'h'", "A size reads 3, H, 2*H"),
    case("a negative size", f"h : -1\n{SUM}", 1, 5, "'-1' is declared as the size", "A size reads 3, H"),
    case("a size in fractions", f"h : H/2\n{SUM}", 1, 5, "'H/2' is declared as the size", "H//2"),
    case("a size divided by nothing", f"h : H//0\n{SUM}", 1, 5, "'H//0' is declared as the size", "H//2"),
    case("a size less another", f"h : H - 1\n{SUM}", 1, 5, "'H - 1' is declared as the size", "H + D"),
    case(
        "a size of a name no line uses",
        f"{SUM}\n  c : 2*H",
        2,
        7,
        "declared for 'c', which no equation uses",
        "Used are",
    ),
    case("a size of a misspelt name", f"{SUM}\nhh : 3", 2, 6, "declared for 'hh', which no", "Did you mean 'h'?"),
    case("a size of a matrix", f"{SUM}\nW : 3", 2, 5, "declared for the matrix 'W'", "follow from what it multiplies"),
    case("a size of the input", f"{SUM}\nx : 3", 2, 5, "declared for 'x'", "x is the input, which has D numbers"),
    case("a size of the time", f"{SUM} * dt\ndt : 3", 2, 6, "declared for 'dt'", "dt is one number"),
    case("a size of a constant", f"a = 2\n{SUM} * a\na : 3", 3, 5, "declared for 'a'", "a is one number"),
    case("a size declared twice", f"h : H\nh : D\n{SUM}", 2, 5, "the size of 'h' is declared twice", "Keep one"),
]

TEXTS = [
    case("an empty text", "", 1, 1, "there is no equation", "Write h' = tanh(W @ x + U @ h + b)"),
    case("only white space", " \n\t\n\r\n", 1, 1, "there is no equation", "A cell defines at least one state"),
    case("only comments", "# later\n  # much later", 1, 1, "there is no equation", "at least one state"),
    case("only a constant", "leak = 0.3", 1, 1, "there is no equation", "at least one state"),
    case("only a size", "h : H", 1, 1, "there is no equation", "at least one state"),
    case("None instead of text", None, 1, 1, "equations are text, got NoneType", "one string"),
    case("bytes instead of text", b"h' = x", 1, 1, "equations are text, got bytes", "one string"),
    case("lines instead of text", ["h' = x"], 1, 1, "equations are text, got list", "one string"),
    case("a text too long", SUM + "#" * 20_000, 1, 1, "the text has 20,028 characters", "At most 20,000 are read"),
    case(
        "an equation too long", f"h' = x\nc' = {'c + ' * 600}c", 2, 1, "has 2,406 characters", "At most 2,000 are read"
    ),
    case(
        "too many equations",
        "h' = x\n" + "".join(f"a{k} = x\n" for k in range(200)),
        201,
        1,
        "201 equations",
        "At most 200",
    ),
    case("brackets too deep", f"h' = {'(' * 41}x{')' * 41}", 1, 46, "nested more than 40 deep", "Name the inner part"),
    case("a sum too deep", f"h' = {'x + ' * 150}x", 1, 6, "nested too deeply", "Name its parts on lines of their own"),
    case("minus signs too deep", f"h' = {'-' * 1900}x", 1, 6, "nested too deeply", "Name its parts"),
    case("powers too deep", f"h' = {'x ** ' * 300}2", 1, 6, "nested too deeply", "Name its parts"),
    case("a NUL character", "h' = x\0", 1, 7, "the character U+0000 was read", "Remove it"),
    case("a lone surrogate", "h' = \ud800x", 1, 6, "the character U+D800 was read", "Equations are plain text"),
    case("a control character in a comment", "h' = x\n# \x1b[0m", 2, 3, "the character U+001B was read", "Remove it"),
    case(
        "a character some take for a line end", "# a\x1cb\nh' = x", 1, 4, "the character U+001C was read", "Remove it"
    ),
    case("the letter that stands for a prime", "h' = hʹ", 1, 7, "the character U+02B9 was read", "Remove it"),
    case("a space of no width", "h' = \u200bx", 1, 6, "the character U+200B was read", "Remove it"),
    case("a mark inside the text", "h' = x\n\ufeffy = h", 2, 1, "the character U+FEFF was read", "Remove it"),
    case("a control character of Latin-1", "h' = x\x85", 1, 7, "the character U+0085 was read", "Remove it"),
    case(
        "a page of HTML", "<!DOCTYPE html>\n<html>", 1, 1, "'<!DOCTYPE html>' cannot be read here", "name = expression"
    ),
]

PLACES = [
    case("the column counts letters, not bytes", "h' = α + β + sigmod(γ)", 1, 14, "'sigmod'", "mean 'sigmoid'?"),
    case("the column counts the user's own signs", "h′ = σ(W·x) ⊙ sigmod(x)", 1, 15, "'sigmod'", "mean 'sigmoid'?"),
    case("the column counts the indentation", f"\n    {SUM}\n    y = sigmod(h)", 3, 9, "'sigmod'", "mean 'sigmoid'?"),
    case("a tab is one column", "\th' =\tsigmod(x)", 1, 7, "'sigmod'", "mean 'sigmoid'?"),
    case(
        "the line is the one inside brackets", "h' = tanh(\n    W @ x\n  + sigmod(h))", 3, 5, "'sigmod'", "'sigmoid'?"
    ),
    case("comments and blank lines count", "# α\n\nh' = (x  # β\n\n  + 3j)", 5, 5, "'3j'", "finite and real"),
    case("Windows' line ends count once", "# a\r\n# b\r\nh' = sigmod(x)", 3, 6, "'sigmod'", "'sigmoid'?"),
    case("old line ends count", "# a\r# b\rh' = sigmod(x)", 3, 6, "'sigmod'", "'sigmoid'?"),
    case("a form feed ends no line", "a = x\f\nh' = sigmod(a)", 2, 6, "'sigmod'", "'sigmoid'?"),
    case("a Unicode line separator ends no line", "# a\u2028b\nh' = sigmod(x)", 2, 6, "'sigmod'", "'sigmoid'?"),
    case("what cannot be read after letters", "h' = (αβγ\n   + δ ? h)", 2, 8, "'? h)' cannot be read", "an operator"),
]

ALL = [
    *UNKNOWN_FUNCTIONS,
    *NAMES,
    *PRIMES,
    *SHAPES_OF_LINES,
    *BRACKETS,
    *WHAT_IS_NO_EXPRESSION,
    *SIZES,
    *TEXTS,
    *PLACES,
]


@pytest.mark.parametrize(("text", "line", "column", "read", "right"), ALL)
def test_a_bad_text_says_where_what_was_read_and_what_would_be_right(text, line, column, read, right):
    with pytest.raises(EquationError) as caught:
        parse(text)
    error = caught.value
    assert str(error).startswith(f"line {line}, column {column}: ")
    assert (error.line, error.column) == (line, column)
    assert read in str(error)
    assert right in str(error)
    assert len(str(error)) < 450


@pytest.mark.parametrize(("text", "line", "column", "read", "right"), ALL)
def test_no_message_shows_what_python_or_our_own_reading_made_of_the_text(text, line, column, read, right):
    with pytest.raises(EquationError) as caught:
        parse(text)
    message = caught.value.got + caught.value.possible + caught.value.advice
    if "U+02B9" not in message:
        assert "ʹ" not in message
    assert "invalid syntax" not in message
    assert "<unknown>" not in message


def test_the_cases_are_distinct():
    texts = [repr(case.values[0]) for case in ALL]
    assert len(set(texts)) == len(texts) > 60


def test_an_equation_error_is_a_value_error_and_one_of_ours():
    with pytest.raises(ValueError, match="there is no equation") as caught:
        parse("")
    assert isinstance(caught.value, OstinatoError)


def test_an_equation_error_survives_pickling():
    with pytest.raises(EquationError) as caught:
        parse("h' = sigmod(x)")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.line, copy.column) == (str(caught.value), 1, 6)


@pytest.mark.parametrize(
    ("sizes", "read"),
    [
        pytest.param({"h": "0"}, "'0' is declared as the size of 'h'", id="a size of nothing"),
        pytest.param({"h": 0}, "'0' is declared as the size of 'h'", id="a whole number that is no size"),
        pytest.param({"c": "H"}, "declared for 'c', which no equation uses", id="a name no line uses"),
        pytest.param({"W": "H"}, "declared for the matrix 'W'", id="a matrix"),
        pytest.param({"h": "H H"}, "'H H' is declared as the size of 'h'", id="two sizes at once"),
    ],
)
def test_a_size_declared_beside_the_text_is_checked_as_one_in_it(sizes, read):
    with pytest.raises(EquationError, match=read):
        parse(SUM, sizes)


def test_a_size_declared_in_the_text_and_beside_it_is_declared_twice():
    with pytest.raises(EquationError, match="line 1, column 5: the size of 'h' is declared twice"):
        parse(f"h : H\n{SUM}", {"h": "H"})
