"""The plugin that Hydra finds: its options, and a class that passes everything to `_sweep`.

Every Hydra program of the environment imports it, so it imports only Hydra. Hydra runs this module
before registering its name, so postponed annotations would break its dataclass.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional  # noqa: UP035 (what OmegaConf reads on every version)

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class SmalldataOptunaConf:
    """The keys of ``hydra.sweeper``.

    There are no directions: they follow from the measures.
    """

    _target_: str = "hydra_plugins.smalldata_optuna.sweeper.SmalldataOptunaSweeper"
    n_trials: int = 20
    n_jobs: int = 1
    sampler: str = "tpe"
    seed: Optional[int] = None  # noqa: UP045
    storage: Optional[str] = None  # noqa: UP045
    name: Optional[str] = None  # noqa: UP045
    heartbeat_seconds: int = 10
    params: Dict[str, str] = field(default_factory=dict)  # noqa: UP006


ConfigStore.instance().store(
    group="hydra/sweeper", name="smalldata_optuna", node=SmalldataOptunaConf, provider="smalldata"
)


class SmalldataOptunaSweeper(Sweeper):
    """Searches the values of whole cells with Optuna; a sweep can be interrupted and resumed.

    Parameters
    ----------
    **options
        The keys of `SmalldataOptunaConf`.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.config: Optional[DictConfig] = None  # noqa: UP045
        self.launcher: Any = None
        self.hydra_context: Optional[HydraContext] = None  # noqa: UP045

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Store what Hydra passes, and make the launcher."""
        from hydra.core.plugins import Plugins

        self.config = config
        self.hydra_context = hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: List[str]) -> None:  # noqa: UP006
        """Run the missing trials; ``arguments`` are the overrides of the command line."""
        from hydra_plugins.smalldata_optuna._sweep import run_sweep

        assert self.hydra_context is not None
        run_sweep(
            arguments,
            options=self.options,
            master=self.config,
            loader=self.hydra_context.config_loader,
            launcher=self.launcher,
        )
