/*
 * Finds syntax errors and misspelt variables in Groovy files without QuPath's classes.
 *   java -cp groovy.jar groovy.ui.GroovyMain check_names.groovy FILE...
 * Prints one line per finding; nothing where all is well.
 */
import org.codehaus.groovy.ast.ClassCodeVisitorSupport
import org.codehaus.groovy.ast.DynamicVariable
import org.codehaus.groovy.ast.expr.VariableExpression
import org.codehaus.groovy.classgen.VariableScopeVisitor
import org.codehaus.groovy.control.CompilationUnit
import org.codehaus.groovy.control.MultipleCompilationErrorsException
import org.codehaus.groovy.control.Phases
import org.codehaus.groovy.control.SourceUnit

// The classes of one file may be used in the others.
def ownClasses = args.findAll { it.endsWith('.gvy') }.collectMany { (new File(it).text =~ /(?m)^class (\w+)/).collect { it[1] } }
// What QuPath binds, what every script has, and roots of full class names.
def given = ['binding', 'args', 'java', 'qupath'] as Set
def defaults = ['java.lang', 'java.util', 'java.io', 'java.net', 'groovy.lang', 'groovy.util', 'java.math']

class Names extends ClassCodeVisitorSupport {
    SourceUnit source
    List<VariableExpression> unknown = []

    SourceUnit getSourceUnit() { source }

    void visitVariableExpression(VariableExpression expression) {
        if (expression.accessedVariable instanceof DynamicVariable) {
            unknown << expression
        }
    }
}

args.each { path ->
    def unit = new CompilationUnit()
    def source = unit.addSource(new File(path))
    try {
        unit.compile(Phases.CONVERSION)
    } catch (MultipleCompilationErrorsException e) {
        println e.message.readLines().findAll().join(' ')
        return
    }
    def known = given + ownClasses + unit.AST.classes*.nameWithoutPackage + source.AST.imports*.alias
    unit.AST.classes.each { type ->
        new VariableScopeVisitor(source, true).visitClass(type)
        def names = new Names(source: source)
        names.visitClass(type)
        names.unknown.each { variable ->
            boolean isClass = defaults.any {
                try {
                    Class.forName("${it}.${variable.name}")
                } catch (ClassNotFoundException | LinkageError ignored) {
                    null
                }
            }
            if (!(variable.name in known) && !isClass) {
                println "${path}: ${variable.lineNumber}: nothing here is called '${variable.name}'"
            }
        }
    }
}
