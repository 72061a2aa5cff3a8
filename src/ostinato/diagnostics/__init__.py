"""What happens inside a recurrent network over time: how far gradients reach, what states do and respond to."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "flow": ["Flow", "gradient_flow"],
        "jacobians": ["Spectrum", "jacobian_spectrum"],
        "lyapunov": ["Exponents", "lyapunov"],
        "motion": ["Motion", "RestingPoint", "fixed_points", "trajectories"],
        "quantities": ["gates"],
        "remembering": ["Capacity", "memory_capacity"],
        "response": ["Response", "state_response"],
        "sequences": ["sequence_units"],
        "tracking": ["units"],
    },
)
