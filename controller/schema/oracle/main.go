// The API server's own word on custom resources: reads JSON lines from stdin and answers each with a line.
//
//	{"crd": {...}}                       takes a CustomResourceDefinition, as its creation would: what is wrong with it
//	{"object": {...}, "old": {...}}      what is wrong with an object of a kind taken before; old may be absent
//
// The answer is {"errors": ["spec.x: Invalid value: ..."], "fields": ["spec.x"]}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	metavalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// What is kept of a version of a kind.
type kind struct {
	structural *schema.Structural
	validator  validation.SchemaValidator
	rules      *cel.Validator
	namespaced bool
}

type request struct {
	Crd    json.RawMessage `json:"crd"`
	Object json.RawMessage `json:"object"`
	Old    json.RawMessage `json:"old"`
}

type answer struct {
	Errors []string `json:"errors"`
	Fields []string `json:"fields"`
}

func (a *answer) add(errs field.ErrorList) {
	for _, err := range errs {
		a.Errors = append(a.Errors, err.Error())
		a.Fields = append(a.Fields, err.Field)
	}
}

func (a *answer) refuse(field string, reason any) {
	a.Errors = append(a.Errors, fmt.Sprintf("%s: %v", field, reason))
	a.Fields = append(a.Fields, field)
}

var (
	scheme = runtime.NewScheme()
	kinds  = map[string]kind{}
)

func main() {
	install.Install(scheme)
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			return
		}
		var asked request
		told := answer{Errors: []string{}, Fields: []string{}}
		if err := json.Unmarshal(line, &asked); err != nil {
			told.refuse("", err)
		} else if asked.Crd != nil {
			take(asked.Crd, &told)
		} else {
			judge(asked.Object, asked.Old, &told)
		}
		if err := out.Encode(told); err != nil {
			os.Exit(1)
		}
	}
}

// As the registry of CustomResourceDefinitions does on creation, and then their handler.
func take(text []byte, told *answer) {
	var versioned apiextensionsv1.CustomResourceDefinition
	if err := utiljson.Unmarshal(text, &versioned); err != nil {
		told.refuse("", err)
		return
	}
	scheme.Default(&versioned)
	var crd apiextensions.CustomResourceDefinition
	if err := scheme.Convert(&versioned, &crd, nil); err != nil {
		told.refuse("", err)
		return
	}
	crd.Status.StoredVersions = nil
	for _, version := range crd.Spec.Versions {
		if version.Storage {
			crd.Status.StoredVersions = []string{version.Name}
		}
	}
	told.add(crdvalidation.ValidateCustomResourceDefinition(context.Background(), &crd))
	for _, version := range versioned.Spec.Versions {
		made, err := compile(version.Schema)
		if err != nil {
			told.refuse("spec.versions", err)
			continue
		}
		made.namespaced = versioned.Spec.Scope == apiextensionsv1.NamespaceScoped
		kinds[versioned.Spec.Group+"/"+version.Name+"/"+versioned.Spec.Names.Kind] = made
	}
}

func compile(versioned *apiextensionsv1.CustomResourceValidation) (kind, error) {
	var internal apiextensions.CustomResourceValidation
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(versioned, &internal, nil)
	if err != nil {
		return kind{}, err
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		return kind{}, err
	}
	structural = structural.DeepCopy()
	if err := defaulting.PruneDefaults(structural); err != nil {
		return kind{}, err
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	rules := cel.NewValidator(structural, true, celconfig.PerCallLimit)
	return kind{structural: structural, validator: validator, rules: rules}, err
}

func judge(text, oldText []byte, told *answer) {
	object, kind, ok := prepare(text, told)
	if !ok {
		return
	}
	var old map[string]any
	if oldText != nil {
		var ignored answer
		before, _, ok := prepare(oldText, &ignored)
		if !ok {
			told.refuse("", "the old form cannot be read")
			return
		}
		old = before.Object
	}
	path := field.NewPath("metadata")
	var errs field.ErrorList
	errs = append(errs, metavalidation.ValidateObjectMetaAccessor(object, kind.namespaced, metavalidation.NameIsDNSSubdomain, path)...)
	errs = append(errs, validation.ValidateCustomResource(nil, object.Object, kind.validator)...)
	errs = append(errs, objectmeta.Validate(nil, object.Object, kind.structural, false)...)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, kind.structural, object.Object)...)
	if !blocks(errs) {
		var before any
		if old != nil {
			before = old
		}
		more, _ := kind.rules.Validate(context.Background(), nil, kind.structural, object.Object, before, celconfig.RuntimeCELCostBudget)
		errs = append(errs, more...)
	}
	told.add(errs)
}

// As hasBlockingErr in the strategy of custom resources.
func blocks(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// What the handler does to an object before it is validated, with strict field validation.
func prepare(text []byte, told *answer) (*unstructured.Unstructured, kind, bool) {
	var object unstructured.Unstructured
	if err := utiljson.Unmarshal(text, &object.Object); err != nil {
		told.refuse("", err)
		return nil, kind{}, false
	}
	gvk := object.GroupVersionKind()
	kind, ok := kinds[gvk.Group+"/"+gvk.Version+"/"+gvk.Kind]
	if !ok {
		told.refuse("kind", "is not known")
		return nil, kind, false
	}
	// The status is another endpoint's.
	delete(object.Object, "status")
	meta, found, unknown, err := objectmeta.GetObjectMetaWithOptions(object.Object, objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true})
	if err != nil {
		told.refuse("metadata", err)
		return nil, kind, false
	}
	options := schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown = append(unknown, pruning.PruneWithOptions(object.Object, kind.structural, true, options)...)
	for _, path := range unknown {
		told.refuse(path, "unknown field")
	}
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, kind.structural)
	if found {
		if err := objectmeta.SetObjectMeta(object.Object, meta); err != nil {
			told.refuse("metadata", err)
			return nil, kind, false
		}
	}
	if !kind.namespaced {
		object.SetNamespace("")
	} else if object.GetNamespace() == "" {
		object.SetNamespace("default")
	}
	defaulting.Default(object.Object, kind.structural)
	return &object, kind, true
}
