"""The only place that knows TensorFlow: from labelled patches to a bundle, and from it to classes.

Each part, and why it stands alone:

``backend``
    Imports Keras late, once and quietly, and makes a run repeatable. No other
    module imports Keras by itself.
``preprocessing``
    What a network does to pixels first. It is part of the model's graph, so that
    training, evaluation and prediction cannot differ.
``networks``
    The table of networks, and their one common head.
``weights``
    Where a network starts from: nothing, ImageNet, or a file.
``plan``
    What a training does, phase by phase.
``thawing``
    Which layers of the backbone learn in a phase.
``sampling``
    Which patches an epoch draws, and how much each class counts.
``augmentation``
    Random views of a training patch, as a function of the patch, a seed and a number.
``contact_sheet``
    A picture of what the network is shown.
``batches``
    Brings patches to the network, a few batches ahead, never all in memory.
``features``
    A network in two parts: what sees, and what decides.
``feature_cache``
    What a frozen backbone sees in patches, kept on disk.
``lessons``
    What learns in a phase, and what it is shown: pixels, or features that are kept.
``history``
    What a training has come to, epoch by epoch.
``checkpoint``
    What a training under way keeps, so that it can be gone on with.
``training``
    The loop: it learns, measures, stops early and keeps the best weights.
``bundle``
    The model folder: its format, loading and checking it.
``saving``
    Writes a bundle, whole or not at all.
``card``
    The bundle's page for people.
``inference``
    A bundle at work: patches in, probabilities out.
``openvino_engine``
    The same on CPUs by OpenVINO, which is optional.
``exported``
    OpenVINO's model, kept in the bundle, and the seal by which one's own is known.
``engines``
    Which of the two computes.

Nothing heavy is imported before a function needs it.
"""
