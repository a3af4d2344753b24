"""An engine that remembers what a frozen backbone saw, for models that differ in their heads."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from pycyto.images.crop import Pixels
from pycyto.learning.bundle import Bundle
from pycyto.learning.features import extractor_of, head_of, identity_of
from pycyto.learning.inference import Engine, Probabilities, keras_engine, keras_model
from pycyto.learning.nearest import Features
from pycyto.learning.networks import network_named

# Bytes of features that are kept; what is beyond is computed again.
LARGEST = 1 << 30


class Remembering:
    """Gives engines for several bundles, which share features where their backbones are one.

    Attributes
    ----------
    computed, found
        Patches that a backbone saw, and that it had seen before.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._identity = ""
        self._features: dict[bytes, Features] = {}
        self._size = 0
        self.computed = self.found = 0

    def engine(self, bundle: Bundle) -> Engine:
        """Return an engine for `pycyto.learning.inference.classify`."""
        model = keras_model(bundle)
        self._keep_for(identity_of(model, network_named(bundle.network)))
        extractor, head = extractor_of(model), head_of(model)

        def run(batch: Pixels) -> Probabilities:
            return np.asarray(head.predict_on_batch(self._seen(extractor, batch)), np.float32)

        return Engine(keras_engine(bundle).name, run)

    def _keep_for(self, identity: str) -> None:
        """Forget everything when the backbone is another: it will hardly come back."""
        if identity != self._identity:
            self._identity, self._size = identity, 0
            self._features.clear()

    def _seen(self, extractor: Any, batch: Pixels) -> Features:
        keys = [hashlib.sha256(patch.tobytes()).digest() for patch in batch]
        known = {key: self._features[key] for key in keys if key in self._features}
        new = [index for index, key in enumerate(keys) if key not in known]
        self.found += len(batch) - len(new)
        self.computed += len(new)
        if new:
            seen = np.asarray(extractor.predict_on_batch(batch[new]), np.float32)
            for index, features in zip(new, seen, strict=True):
                known[keys[index]] = features
                if self._size + features.nbytes <= self._largest:
                    self._features[keys[index]] = features
                    self._size += features.nbytes
        return np.stack([known[key] for key in keys])
