package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
	"github.com/shardmill/shardmill/processors"
)

// Transform says what changes the records on their way. One of Lambda and Command is
// set.
type Transform struct {
	Lambda  *LambdaTransform
	Command *CommandTransform

	NumberOfRetries int                       // of a batch, 0-300; default 3
	Hints           processors.TransformHints // when a batch is complete; default 1 MiB and 60 s
}

// LambdaTransform is a function of AWS Lambda.
type LambdaTransform struct {
	ARN    string // of the function, and a version's or an alias's if it ends in one
	Region string // in ARN
}

// CommandTransform is a program that gets batches at its standard input and answers at
// its standard output.
type CommandTransform struct {
	Argv           []string          // the program, and its arguments
	Directory      string            // where it runs; "": where the archiver does
	Environment    map[string]string // beside that of the archiver
	MemoryMBs      int               // that a process may have, in MiB; 0: no limit
	TimeoutSeconds int               // that a batch may take, 1-300; default 300
	Processes      int               // that run side by side, 1-256; 0: as many as there are processors
}

// Firehose's bounds of a transform, and its defaults.
const (
	leastBatchMBs, mostBatchMBs, batchMBs = 0.2, 3, 1
	mostBatchSeconds, batchSeconds        = 900, 60
	mostRetries, retries                  = 300, 3
	longestCallSeconds                    = 300
)

const (
	retriesBounds  = "Number of retries for lambda must be between 0 and 300."
	sizeBounds     = "BufferSizeInMBs for lambda processor must be between 0.2 and 3."
	intervalBounds = "BufferIntervalInSeconds for lambda processor must be between 0 and 900."
	bothHints      = "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering for lambda processor."
)

func newTransform() *Transform {
	return &Transform{NumberOfRetries: retries, Hints: processors.TransformHints{SizeInMBs: batchMBs, IntervalInSeconds: batchSeconds}}
}

// lambdaARN has the region first. Of ARNs it takes what lambdatransform.New does.
// Source: Lambda's API, FunctionName of Invoke.
var lambdaARN = regexp.MustCompile(`^arn:[a-zA-Z0-9-]+:lambda:([a-z0-9-]+):\d{12}:function:[a-zA-Z0-9-_]{1,64}(?::(?:\$LATEST|[a-zA-Z0-9-_]{1,128}))?$`)

// lambda judges a processor Lambda, and configures it.
func (l *loader) lambda(each processor) {
	l.lambdaAt = each.at
	t := newTransform()
	t.Lambda = each.function()
	if n, ok := each.number(retriesParameter, 0, mostRetries, retriesBounds); ok {
		t.NumberOfRetries = int(n)
	}
	size, sized := each.number(sizeParameter, leastBatchMBs, mostBatchMBs, sizeBounds)
	interval, timed := each.number(intervalParameter, 0, mostBatchSeconds, intervalBounds)
	if sized && timed {
		t.Hints = processors.TransformHints{SizeInMBs: size, IntervalInSeconds: int(interval)}
	}
	_, hasSize := each.parameters[sizeParameter]
	_, hasInterval := each.parameters[intervalParameter]
	if hasSize != hasInterval {
		each.at.Bad("%s", says("give it both parameters, "+sizeParameter+" and "+intervalParameter+", or none of them", bothHints))
	}
	if p, ok := each.parameters[roleParameter]; ok && p.usable {
		role(p.at)
	}
	l.config.Transform = t
}

// function returns the function of a processor Lambda; nil if it cannot be used.
func (each processor) function() *LambdaTransform {
	p, ok := each.parameters[arnParameter]
	if !ok {
		each.at.Bad("%s", says("give its parameter "+arnParameter, "LambdaArn is required when Lambda processor is used."))
		return nil
	}
	if !p.usable {
		return nil
	}
	parts := lambdaARN.FindStringSubmatch(p.text)
	if parts == nil || len(p.text) > maxARN {
		p.at.Bad("it must be arn:aws:lambda:REGION:ACCOUNT:function:NAME, with a region in small letters, an account of 12 digits and a name of 1-64 characters of a-z A-Z 0-9 _ -, " +
			"and may end in :VERSION or :ALIAS")
		return nil
	}
	return &LambdaTransform{ARN: p.text, Region: parts[1]}
}

// number returns the number that a parameter is, if it has one within the bounds. All
// but sizes are whole.
func (each processor) number(name string, lowest, highest float64, rule string) (float64, bool) {
	p, given := each.parameters[name]
	if !given || !p.usable {
		return 0, false
	}
	n, ok := document.ParseDecimal(p.text)
	kind := ""
	if name != sizeParameter {
		whole, err := strconv.Atoi(p.text)
		n, ok, kind = float64(whole), ok && err == nil, "a whole number "
	}
	if !ok || n < lowest || n > highest {
		p.at.Bad("%s", says(fmt.Sprintf("it must be %sbetween %v and %v", kind, lowest, highest), rule))
		return 0, false
	}
	return n, true
}

// ourTransformation reads a transform that Firehose does not have.
func (l *loader) ourTransformation(p document.Place) {
	l.ourTransform = p
	t, c := newTransform(), &CommandTransform{TimeoutSeconds: longestCallSeconds}
	t.Command = c
	count := func(n *int, lowest, highest int) func(document.Place) {
		return func(at document.Place) {
			if read, ok := at.Integer(lowest, highest); ok {
				*n = read
			}
		}
	}
	given, ok := p.Read(document.Shape{Of: "shardmill.transform", Members: map[string]func(document.Place){
		"command":         c.command,
		"directory":       c.directory,
		"environment":     c.environment,
		"memoryMBs":       count(&c.MemoryMBs, 1, 1<<20),
		"timeoutSeconds":  count(&c.TimeoutSeconds, 1, longestCallSeconds),
		"processes":       count(&c.Processes, 1, 256),
		"numberOfRetries": count(&t.NumberOfRetries, 0, mostRetries),
		"bufferSizeInMBs": func(at document.Place) {
			if n, ok := at.Decimal(leastBatchMBs, mostBatchMBs); ok {
				t.Hints.SizeInMBs = n
			}
		},
		"bufferIntervalInSeconds": count(&t.Hints.IntervalInSeconds, 0, mostBatchSeconds),
	}})
	if !ok {
		return
	}
	p.Need(given, "command", "give the program and its arguments, as a list of texts")
	switch size, interval := given["bufferSizeInMBs"], given["bufferIntervalInSeconds"]; {
	case size && !interval:
		p.Fault("has bufferSizeInMBs but no bufferIntervalInSeconds; give both or remove both")
	case interval && !size:
		p.Fault("has bufferIntervalInSeconds but no bufferSizeInMBs; give both or remove both")
	}
	if l.lambdaAt.Path == "" {
		l.config.Transform = t
	}
}

func (c *CommandTransform) command(p document.Place) {
	items, ok := p.Items("a list of texts, the program and its arguments")
	if ok && len(items) == 0 {
		p.Fault("is empty; give the program and its arguments")
	}
	for i, at := range items {
		s, ok := at.Text()
		switch {
		case ok && i == 0 && s == "":
			at.Bad("give the program")
		case ok && setsSecret(s):
			at.Fault("sets what has the name of a secret, and nothing here is secret: it shows in logs, and to whoever may list processes; " +
				"remove it, and let the command read it from a file, or from a variable that is set for the archiver")
		}
		c.Argv = append(c.Argv, s)
	}
}

// assigned is the name in an argument such as --name=value or NAME=value, and not that in
// most of what a program of jq, awk or sed may be.
var assigned = regexp.MustCompile(`^-{0,2}([A-Za-z0-9_][A-Za-z0-9_.-]*)=.`)

// setsSecret reports whether an argument gives a secret its value. The name of a file that
// has one is none.
func setsSecret(argument string) bool {
	match := assigned.FindStringSubmatch(argument)
	if match == nil {
		return false
	}
	name := strings.ToLower(strings.ReplaceAll(match[1], "-", "_"))
	return document.IsSecret(name) && !strings.HasSuffix(name, "file") && !strings.HasSuffix(name, "path")
}

func (c *CommandTransform) directory(p document.Place) {
	s, ok := p.Text()
	if ok && s == "" {
		p.Bad("name a directory, or remove it for that of the archiver")
	}
	c.Directory = s
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// environment reads variables. A secret has no place here, as all of the file may be
// shown.
func (c *CommandTransform) environment(p document.Place) {
	c.Environment = map[string]string{}
	s := document.Shape{Of: "shardmill.transform.environment", Members: map[string]func(document.Place){}}
	for _, m := range p.Value().Members {
		s.Members[m.Key] = func(at document.Place) {
			value, ok := at.Text()
			switch {
			case !variableName.MatchString(m.Key):
				at.Fault("has a name that no variable has; it must be of letters, digits and _, and begin with no digit")
			case document.IsSecret(m.Key):
				at.Fault("has the name of a secret, and nothing here is secret; remove it, and set the variable for the archiver: the command has those too")
			case ok:
				c.Environment[m.Key] = value
			}
		}
	}
	p.Read(s)
}

// oneTransform refuses two, once all of the file was read.
func (l *loader) oneTransform() {
	if l.lambdaAt.Path != "" && l.ourTransform.Path != "" {
		l.ourTransform.Fault("is a second transform, beside the processor Lambda in line %d; remove one", l.lambdaAt.Line)
	}
}
