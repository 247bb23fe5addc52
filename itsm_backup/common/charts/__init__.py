"""Charts as SVG markup, made on the server: geometry as attributes, colours by class, one sentence that gives the finding.

Every function is pure. A Chart's head and rows hold the same facts as a table. Verdict words are those of the catalogue:
kept, at_risk, broken, no_data, held.
"""

from itsm_backup.common.charts.bar import exposure_bar
from itsm_backup.common.charts.bars import DayBar, day_bars
from itsm_backup.common.charts.layers import LayerBox, LayerLine, layered_graph, layers_of
from itsm_backup.common.charts.marks import deviation_bar, verdict_mark
from itsm_backup.common.charts.paper import painted
from itsm_backup.common.charts.sawtooth import AgeStep, RunMark, sawtooth
from itsm_backup.common.charts.strip import DayCell, day_strip
from itsm_backup.common.charts.success import DayCount, success_line
from itsm_backup.common.charts.svg import Chart
from itsm_backup.common.charts.tally import tally
from itsm_backup.common.charts.tree import TreeNode, impact_tree

__all__ = [
    "AgeStep",
    "Chart",
    "DayBar",
    "DayCell",
    "DayCount",
    "LayerBox",
    "LayerLine",
    "RunMark",
    "TreeNode",
    "day_bars",
    "day_strip",
    "deviation_bar",
    "exposure_bar",
    "impact_tree",
    "layered_graph",
    "layers_of",
    "painted",
    "sawtooth",
    "success_line",
    "tally",
    "verdict_mark",
]
