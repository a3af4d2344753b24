/*
 * What a lab without pycyto would run: QuPath's own import of a GeoJSON file into an image, and a save.
 * Arguments: project file, entry ID, GeoJSON file.
 */
import java.awt.image.BufferedImage
import qupath.lib.io.PathIO
import qupath.lib.projects.ProjectIO

def project = ProjectIO.loadProject(new File(args[0]), BufferedImage)
def entry = project.imageList.find { it.getID() == args[1] }
def data = entry.readImageData()
data.hierarchy.addObjects(PathIO.readObjects(new File(args[2])))
entry.saveImageData(data)
