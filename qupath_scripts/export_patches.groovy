/*
 * Cuts one 224 x 224 patch at full resolution around every classified cell of an image,
 * and lists them in manifest.csv: a data set for "pycyto split" and "pycyto train".
 *
 * Run it on the open image, by "Run for project (without saving)", or headless:
 *   QuPath script -p project.qpproj export_patches.groovy
 * A second run does only what has changed: patches of relabelled cells move to the folder
 * of their class, those of deleted cells to removed/. Nothing in the project is changed.
 *
 * Tested on QuPath 0.5.1, 0.6.0 and 0.7.0.
 */

// --- settings -------------------------------------------------------------------------------
def settings = [
    out: '',                // folder of the data set; empty: pycyto/patches in the project
    objects: 'annotations', // annotations, detections (with QuPath cell objects) or all
    scheme: 'bethesda',     // which class names count as labels
    largest_outline: 8.0,   // a larger outline, in areas of a patch, is tissue and no cell
    metadata_keys: [        // under which keys the image's metadata in QuPath holds what
        patient: 'Patient', slide: 'Slide', scanner: 'Scanner',
        site: 'Site', preparation: 'Preparation', annotator: 'Annotator',
    ],
]

// --- guard ----------------------------------------------------------------------------------
def lib = binding.hasVariable('qupath.script.file') ? new File(new File(binding.getVariable('qupath.script.file') as String).parentFile, 'lib') : null
if (!lib?.directory) {
    throw new IllegalStateException('Save this script into the folder qupath_scripts of pycyto, then run it again: it needs the folder "lib" beside it.')
}
def load = new GroovyClassLoader(getClass().classLoader).parseClass(new File(lib, 'PycytoLoader.gvy')).from(lib)
def pycyto = load('Pycyto')
def selection = load('PycytoSelection')
def patch = load('PycytoPatch')
def objects = load('PycytoObjects')
def labels = load('PycytoLabels')
def dataSets = load('PycytoDataSet')

// --- action ---------------------------------------------------------------------------------
pycyto.run(this, 'export_patches', settings) { job, image ->
    image.saveChanges()
    def config = job.config, server = image.data.server
    def counts = image.counts
    counts << [given: 0, patches: 0, skipped: [:], failed: [:], new: 0, kept: 0, relabelled: 0, removed: 0]

    // Which objects are cells: one per outline, one per point of a point annotation. They are
    // read from disk, as pycyto reads them: saving rounds some coordinates to float.
    def cells = [], all = image.objectsOnDisk(), repeated = selection.repeated(all)
    all.each { object ->
        def points = object.getROI().isPoint() ? object.getROI().allPoints : null
        def reason = repeated[object] ?: selection.reasonAgainst(object, config.objects, config.scheme, config.largest_outline as double)
        def ofObject = points == null ? [[object, null, object.getROI().centroidX, object.getROI().centroidY]]
            : (points.indexed().collect { i, p -> [object, i, p.x, p.y] } ?: [])
        if (reason) {
            def n = points == null ? 1 : points.size()
            counts.given += n
            counts.skipped.merge(reason, n, Integer::sum)
        } else {
            counts.given += ofObject.size()
            cells += ofObject
        }
    }
    def obstacle = patch.obstacle(image)
    if (obstacle && cells) {
        counts.failed[obstacle] = cells.size()
        pycyto.refuse("${obstacle}: its ${cells.size()} cells are left out.")
    }

    // The patches, one after the other; what is there with the same pixels is kept.
    patch.forgetTiles()
    def folder = config.out ? new File(config.out) : new File(job.project.workspace, 'patches')
    job.lock(folder)
    def data = dataSets.newInstance(folder)
    def cal = server.pixelCalibration, seen = [] as Set
    def ofImage = dataSets.columnsOf(image, config.metadata_keys) + [
        mpp: cal.hasPixelSizeMicrons() ? cal.averagedPixelSizeMicrons : '', scheme: config.scheme,
    ]
    def given = labels.newInstance(image, config.scheme)
    cells.each { object, index, x, y ->
        def roi = object.getROI(), left = patch.edge(x), top = patch.edge(y)
        def reason = roi.z > 0 || roi.t > 0 ? selection.OTHER_PLANE
            : left >= server.width || top >= server.height || left + patch.PATCH_SIZE <= 0 || top + patch.PATCH_SIZE <= 0 ? selection.OUTSIDE : null
        if (reason) {
            counts.skipped.merge(reason, 1, Integer::sum)
            return
        }
        def label = selection.labelOf(config.scheme, object.pathClass.toString()), id = object.getID().toString()
        def row = ofImage + given.columnsOf(object, index, label) + [
            object_id: id, point_index: index, kind: object.isAnnotation() ? 'annotation' : object.isCell() ? 'cell' : 'detection',
            centroid_x: x, centroid_y: y, left: left, top: top, width: patch.PATCH_SIZE, downsample: 1.0d, z: roi.z, t: roi.t,
            label: label, original_label: object.pathClass.toString(),
            file: "images/${label}/${image.id}_${id}${index == null ? '' : '_p' + index}.png".toString(),
        ]
        if (index == null) {
            row += [outline_width: roi.boundsWidth, outline_height: roi.boundsHeight, outline_area: objects.area(roi)]
        }
        seen << data.put(row, patch.patch(server, x, y, roi.z, roi.t), counts)
        counts.patches++
    }
    data.removeGone(ofImage, seen, counts)
    data.removeStrays(image.id, counts)
    data.save()
    counts
}
