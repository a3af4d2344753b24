"""The only place that knows QuPath.

=================  ==============================================================
project            ``project.qpproj`` without Java: images, metadata, project ID
geojson            QuPath's GeoJSON dialect, read into records
selection          which objects are cells, and why the others are not
backend            the interface of the two backends, and the choice between them
geojson_backend    reads the files that scripts keep in ``pycyto/cells``; no Java
paquo_backend      QuPath's own classes in this process: reads and writes
locate             QuPath installations on this machine
headless           QuPath as a separate process that runs one of our scripts
runs               a run and its folder: ``run.json``, states, snapshots
run_tables         the tables of a run: detections to create, and to classify
logs               append-only files of what people decided, line by line
assignments        which cells are read by whom, blinded, and in which order
reads              what the readers called them, and the label that came of it
=================  ==============================================================
"""
