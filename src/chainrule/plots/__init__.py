"""Plots of functions, trainings, data and weights, by matplotlib (the extra `plot`).

    recording = cr.plots.record(program, data, epochs=20)
    cr.plots.history(recording.history).save("history.svg")
    cr.plots.loss_surface(loss, data, recording.states).save("descent.png")

What is plotted is computed by the compiled graph. A plot is a value: it is saved as SVG or PNG,
and a notebook shows it. Equal input gives equal bytes; no display is needed.
"""

from chainrule.declare.calls import answer_calls
from chainrule.plots.activations.functions import activation_functions as activation_functions
from chainrule.plots.activations.histograms import activation_histograms as activation_histograms
from chainrule.plots.circles import network as network
from chainrule.plots.classification import confusion as confusion
from chainrule.plots.classification import roc as roc
from chainrule.plots.curves import comparison as comparison
from chainrule.plots.curves import history as history
from chainrule.plots.curves import validation_curve as validation_curve
from chainrule.plots.images.filters import filters as filters
from chainrule.plots.images.maps import feature_maps as feature_maps
from chainrule.plots.images.rows import image_rows as image_rows
from chainrule.plots.images.saliency import saliency as saliency
from chainrule.plots.images.sliding import sliding as sliding
from chainrule.plots.images.volumes import volumes as volumes
from chainrule.plots.images.weights import weight_images as weight_images
from chainrule.plots.landscape.surfaces import loss_surface as loss_surface
from chainrule.plots.norms import clipped_norms as clipped_norms
from chainrule.plots.norms import gradient_norms as gradient_norms
from chainrule.plots.paper.plot import Plot as Plot
from chainrule.plots.plane.boundaries import decision_boundary as decision_boundary
from chainrule.plots.plane.points import density as density
from chainrule.plots.plane.points import points as points
from chainrule.plots.rates import rates as rates
from chainrule.plots.recording import Recording as Recording
from chainrule.plots.recording import record as record
from chainrule.plots.recording import record_steps as record_steps
from chainrule.plots.sequences.maps import attention_maps as attention_maps
from chainrule.plots.sequences.maps import over_time as over_time
from chainrule.plots.sequences.text import coloured_text as coloured_text
from chainrule.plots.sequences.through_time import (
    gradients_through_time as gradients_through_time,
)
from chainrule.writing.public import public_names

answer_calls(globals(), public_names(globals()), "plots")


def __dir__() -> list[str]:
    return public_names(globals())
