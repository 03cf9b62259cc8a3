package architecture_test

import (
	"go/ast"
	"iter"
	"strings"
)

// exported yields each exported constant, variable, type, function and method of a file with its doc comment. Inside
// a group the group's comment or one at the end of the line will do. A method is "Type.Method".
func exported(f *ast.File) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, decl := range f.Decls {
			for name, doc := range exportedIn(decl) {
				if !yield(name, strings.TrimSpace(doc)) {
					return
				}
			}
		}
	}
}

func exportedIn(decl ast.Decl) map[string]string {
	found := map[string]string{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			receiver := receiverName(d.Recv.List[0].Type)
			if !ast.IsExported(receiver) {
				return nil
			}
			name = receiver + "." + name
		}
		if d.Name.IsExported() {
			found[name] = d.Doc.Text()
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					found[s.Name.Name] = d.Doc.Text() + s.Doc.Text() + s.Comment.Text()
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() {
						found[n.Name] = d.Doc.Text() + s.Doc.Text() + s.Comment.Text()
					}
				}
			}
		}
	}
	return found
}

func receiverName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiverName(t.X)
	case *ast.IndexExpr:
		return receiverName(t.X)
	case *ast.IndexListExpr:
		return receiverName(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}

// symbols are what users can name, such as "opsec.Event.Validate", "opsec.Event.Began" or "audit/audittest.New".
func symbols(rooms []room) map[string]bool {
	all := map[string]bool{}
	for _, r := range rooms {
		for _, f := range r.files {
			if !r.public() || f.test {
				continue
			}
			for name := range exported(f.syntax) {
				all[r.path+"."+name] = true
			}
			for name := range members(f.syntax) {
				all[r.path+"."+name] = true
			}
		}
	}
	return all
}

// members yields the exported fields of exported structs and the methods of exported interfaces.
func members(f *ast.File) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, decl := range f.Decls {
			gen, _ := decl.(*ast.GenDecl)
			if gen == nil {
				continue
			}
			for _, spec := range gen.Specs {
				t, _ := spec.(*ast.TypeSpec)
				if t == nil || !t.Name.IsExported() {
					continue
				}
				for _, name := range memberNames(t.Type) {
					if name.IsExported() && !yield(t.Name.Name+"."+name.Name) {
						return
					}
				}
			}
		}
	}
}

func memberNames(t ast.Expr) (names []*ast.Ident) {
	var list *ast.FieldList
	switch t := t.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return nil
	}
	for _, field := range list.List {
		names = append(names, field.Names...)
	}
	return names
}

// proofs are the functions that go test runs, such as "backup.TestVerify".
func proofs(rooms []room) map[string]bool {
	all := map[string]bool{}
	for _, r := range rooms {
		for _, f := range r.files {
			for _, decl := range f.syntax.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if !ok || !f.test || fn.Recv != nil {
					continue
				}
				for _, prefix := range []string{"Test", "Example", "Fuzz"} {
					if strings.HasPrefix(fn.Name.Name, prefix) {
						all[r.path+"."+fn.Name.Name] = true
					}
				}
			}
		}
	}
	return all
}
