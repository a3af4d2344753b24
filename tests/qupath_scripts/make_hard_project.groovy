/*
 * Makes a QuPath project that has every hard case: started by the tests, once per QuPath version.
 * Argument: a JSON file {"folder": ..., "images": [{"file", "name", "metadata", "objects": bool}]}.
 */
import com.google.gson.Gson
import java.awt.geom.Area
import java.awt.geom.Ellipse2D
import java.awt.geom.Rectangle2D
import java.awt.image.BufferedImage
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServers
import qupath.lib.objects.PathObjects
import qupath.lib.objects.classes.PathClass
import qupath.lib.projects.Projects
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.ROIs
import qupath.lib.roi.RoiTools

// QuPath 0.5.1 without a window does not know OpenSlide for new images until it is asked to.
['qupath.lib.images.servers.openslide.jna.OpenSlideLoader', 'qupath.lib.images.servers.openslide.OpenslideServerBuilder'].each {
    try {
        Class.forName(it).tryToLoadQuietly()
    } catch (Throwable ignored) {
    }
}

def config = new Gson().fromJson(new File(args[0]).getText('UTF-8'), Map)
def folder = new File(config.folder)
folder.mkdirs()
def project = Projects.createProject(folder, BufferedImage)
project.setPathClasses(['Other', 'HSIL'].collect { PathClass.fromString(it, 0x123456) })

def plane = ImagePlane.getDefaultPlane()
def annotation = { roi, name = null -> PathObjects.createAnnotationObject(roi, name == null ? null : PathClass.fromString(name)) }
def box = { x, y, w = 30, h = 26 -> ROIs.createRectangleROI(x - w / 2, y - h / 2, w, h, plane) }

def hardCases = { double w, double h ->
    def all = []
    // Edges, corners, beyond the edge, and coordinates at which rounding decides.
    [[0, 0], [w, 0], [0, h], [w, h], [w / 2, 0], [w / 2, h], [0, h / 2], [w, h / 2],
     [-60.25, 100.75], [w + 60.5, h - 33.5], [111.5, 111.5], [112, 112], [112.5, 113.4999999], [w - 112, h - 112],
     [w - 111.5, h - 112.5], [300.49999999999994, 200.5]].each { all << annotation(box(it[0], it[1]), 'NILM') }
    all << annotation(box(-500, 50), 'NILM')                                     // wholly outside
    all << annotation(ROIs.createPointsROI([10.3, w / 2 + 0.123456789, w - 1] as double[], [20.7, h / 3, h - 0.5] as double[], plane), 'HSIL')
    all << annotation(ROIs.createPointsROI(77.777, 88.888, plane), 'LSIL')       // a single point
    all << annotation(ROIs.createPointsROI(40.5, 41.5, plane))                   // ... without a class
    all << annotation(ROIs.createEllipseROI(200.3, 150.7, 33.3, 44.4, plane), 'ASCUS')
    def ring = new Area(new Ellipse2D.Double(400, 300, 60, 50))
    ring.subtract(new Area(new Rectangle2D.Double(420, 310, 13.5, 11.25)))
    all << annotation(RoiTools.getShapeROI(ring, plane), 'HSIL')                 // a hole
    all << annotation(ROIs.createPolygonROI([100, 180, 180, 110, 110, 180, 180, 100] as double[],
        [400, 400, 410, 410, 470, 470, 480, 480] as double[], plane), 'LSIL')    // concave: centroid outside
    all << annotation(box(250.5, 250.5), 'HSIL') << annotation(box(250.5, 250.5, 12, 18), 'LSIL')  // two on one pixel
    all << annotation(ROIs.createLineROI(20, 300, 90, 333, plane), 'hgsil')      // a line has no area
    all << annotation(ROIs.createRectangleROI(5, 5, w - 10, h - 10, plane), 'NILM')  // tissue
    all << annotation(box(500, 120))                                             // no class
    all << annotation(box(520, 140), 'Other') << annotation(box(540, 160), 'HSIL: p16+')
    all << annotation(ROIs.createRectangleROI(300, 400, 30, 30, ImagePlane.getPlane(1, 0)), 'HSIL')  // another plane
    def random = new Random(7)
    24.times {
        double x = random.nextDouble() * w, y = random.nextDouble() * h
        def xs = (0..<9).collect { x + 25 * Math.cos(it * 0.7) + random.nextDouble() } as double[]
        def ys = (0..<9).collect { y + 18 * Math.sin(it * 0.7) + random.nextDouble() } as double[]
        all << annotation(ROIs.createPolygonROI(xs, ys, plane), ['NILM', 'ASC-US', 'LSIL', 'HSIL'][it % 4])
    }
    // Detections: with and without a class, QuPath cell objects with and without a nucleus, a tile.
    def nucleus = ROIs.createEllipseROI(610.2, 410.4, 11, 12, plane)
    def hull = ROIs.createEllipseROI(600, 400, 41, 37, plane)
    all << PathObjects.createDetectionObject(box(330, 60), PathClass.fromString('LSIL'))
    all << PathObjects.createDetectionObject(box(360, 60)) << PathObjects.createDetectionObject(box(390, 60))
    all << PathObjects.createCellObject(hull, nucleus, null, null) << PathObjects.createCellObject(box(660, 420), null, PathClass.fromString('HSIL'), null)
    all << PathObjects.createTileObject(box(50, 600))
    // What pycyto made must never come back as a label.
    def ours = annotation(box(440, 80), 'HSIL'), changed = PathObjects.createDetectionObject(box(470, 80), PathClass.fromString('HSIL'))
    ours.measurementList.put('pycyto: run', 123456d)
    changed.measurementList.put('pycyto: updated by', 123456d)
    all << ours << changed
    // Things that spoil naive JSON: NaN, metadata, a name with quotes, a lock.
    def odd = all[0]
    odd.measurementList.put('a "b", c', 1.0d / 3)
    odd.measurementList.put('nothing', Double.NaN)
    odd.measurementList.put('too much', Double.POSITIVE_INFINITY)
    odd.metadata.put('clé', 'v "w"')
    odd.name = 'r\u00e9gion "1"\nline'
    odd.locked = true
    return all
}

config.images.each { item ->
    def support = ImageServers.getImageSupport(new File(item.file).toURI())
    def entry = project.addImage(support.builders[0])
    entry.imageName = item.name
    item.metadata?.each { key, value -> entry.putMetadataValue(key, value) }
    if (item.objects) {
        def data = entry.readImageData()
        // Else the window asks for it.
        data.imageType = data.server.isRGB() ? ImageData.ImageType.BRIGHTFIELD_OTHER : ImageData.ImageType.FLUORESCENCE
        def objects = hardCases(data.server.width, data.server.height)
        // One detection lies in an annotation: writing back must not re-nest anything.
        data.hierarchy.addObjects(objects)
        data.hierarchy.addObjectBelowParent(objects.find { it.isAnnotation() && it.getROI().isArea() && !it.locked },
            PathObjects.createDetectionObject(box(700, 500)), false)
        entry.saveImageData(data)
    }
}
project.syncChanges()
