"""One file per stage, one public function each: reading this folder is reading the flow.

doctor → export → split → train → evaluate → predict → write_back → undo, runs
"""
