"""Write the equations of a recurrent network; Ostinato gives you the network.

The public list stands in `__init__.pyi`; each name is loaded when it is first used, so that
`ostinato --help` answers before torch has been imported.
"""

import lazy_loader

from ostinato._version import __version__ as __version__

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ = sorted([*__all__, "__version__"])  # pyright: ignore[reportUnsupportedDunderAll]
