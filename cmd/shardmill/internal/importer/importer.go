package importer

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// MaxBytes is how large a file may be: the output of terraform show is as large
// as what it is about. A template may have MaxTemplate. No more than one byte
// beyond it need be read to have Read refuse the file.
const MaxBytes = 8 << 20

// MaxTemplate is how large a CloudFormation template may be, as for AWS.
const MaxTemplate = 1 << 20

// Options say what a file does not.
type Options struct {
	// Stream names one of several delivery streams: the logical ID in a template,
	// the address in the output of terraform show.
	Stream string

	// Set gives values that the file leaves open, by the names that faults tell,
	// and members of the shardmill key as shardmill.NAME.
	Set map[string]string

	// Env is what ${NAME} means in the input of CreateDeliveryStream. In the other
	// forms it means nothing.
	Env document.Env

	// Secrets are the paths of members whose variables may be named like a secret.
	Secrets []string

	// Unwritten tells of JSON that nobody has as a file: its lines are not told.
	Unwritten bool
}

// form is a kind of file.
type form struct {
	maxBytes int
	read     func(*reader, []byte) (document.Value, bool)
	spelling func(string) string
}

// tree makes of what reads a tree what reads the JSON or YAML of it.
func tree(read func(*reader, document.Value) (document.Value, bool)) func(*reader, []byte) (document.Value, bool) {
	return func(r *reader, data []byte) (document.Value, bool) {
		root, ok := r.tree(data)
		if !ok {
			return root, false
		}
		return read(r, root)
	}
}

// Read returns the place of the input of CreateDeliveryStream that the file data
// comes to; name is the file's, for messages, and must is what it has to hold, for
// one that is empty. It is false, and the place's report says why, if there is
// none. Read does no I/O, and its result depends on its arguments alone.
func Read(name string, data []byte, must string, o Options) (document.Place, bool) {
	set := newSettings(o.Set)
	f, known := recognise(data)
	if !known {
		root, ok := document.Read(name, data, must, o.Env, o.Secrets...)
		if !ok {
			return root, false
		}
		if o.Stream != "" {
			root.FaultAt(0, "--stream %s goes with a template or the output of terraform show; the file describes one stream", document.Name(o.Stream))
		}
		v := set.ours(root.Value(), document.Value{})
		set.leftOver(root.Report)
		return root.Place(v), true
	}
	r := &reader{Report: document.NewReport(name, f.spelling), settings: set, stream: o.Stream, unwritten: o.Unwritten}
	r.OnCommandLine(slices.Collect(maps.Values(o.Set)))
	none := r.Place(document.Value{})
	if len(data) > f.maxBytes {
		r.FaultAt(1, "the file has more than %d bytes; it must have at most so many", f.maxBytes)
		return none, false
	}
	if !r.IsText(data) {
		return none, false
	}
	v, ok := f.read(r, bytes.TrimPrefix(data, []byte("\ufeff")))
	if !ok {
		return none, false
	}
	set.leftOver(r.Report)
	return r.Place(v), true
}

// reader is what reading one file needs.
type reader struct {
	*document.Report
	*settings

	stream    string
	unwritten bool
}

// tree returns what a file of JSON or YAML says.
func (r *reader) tree(data []byte) (document.Value, bool) {
	if json.Valid(data) {
		return readJSON(r.Report, data, r.unwritten)
	}
	return readYAML(r.Report, data)
}

// isYAML finds the members of a document of YAML that tell its form: they begin a
// line.
var isYAML = regexp.MustCompile(`(?m)^["']?(Resources|AWSTemplateFormatVersion|DeliveryStreamDescription|DeliveryStreamARN|Destinations)["']?[ \t]*:`)

// isHCL finds a resource in Terraform's language.
var isHCL = regexp.MustCompile(`(?m)^[ \t]*resource[ \t]+"[^"\n]*"[ \t]+"[^"\n]*"[ \t]*\{`)

// recognise returns the form of a file, false if it is the input of
// CreateDeliveryStream or nothing known.
func recognise(data []byte) (form, bool) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		members = map[string]json.RawMessage{}
		for _, m := range isYAML.FindAllSubmatch(data, -1) {
			members[string(m[1])] = nil
		}
	}
	has := func(name string) bool { _, ok := members[name]; return ok }
	switch {
	case has("DeliveryStreamDescription"):
		return form{document.MaxBytes, tree((*reader).described), nil}, true
	case has("DeliveryStreamARN") && has("Destinations"):
		return form{document.MaxBytes, tree((*reader).bare), nil}, true
	case has("terraform_version"):
		return form{MaxBytes, tree((*reader).shown), terraformName}, true
	case isHCL.Match(data):
		return form{document.MaxBytes, (*reader).configured, terraformName}, true
	case has("Resources"):
		return form{MaxTemplate, tree((*reader).template), nil}, true
	}
	return form{}, false
}
