import { autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, insertNewline } from '@codemirror/commands';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { lintKeymap } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap, placeholder } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { PromQLExtension } from '@prometheus-io/codemirror-promql';
import { useEffect, useRef } from 'react';

export interface EditorProps {
  label: string;
  hint: string;
  value: string;
  /** Called when the text is to be run: by Enter, or when the editor is left. */
  onRun: (text: string) => void;
}

const colours = HighlightStyle.define([
  { tag: [tags.name, tags.variableName], color: 'var(--code-name)' },
  { tag: [tags.labelName, tags.propertyName], color: 'var(--code-label)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.number, tags.literal], color: 'var(--code-number)' },
  { tag: [tags.keyword, tags.modifier, tags.function(tags.variableName)], color: 'var(--code-keyword)' },
  { tag: [tags.operator, tags.paren, tags.punctuation], color: 'var(--dim)' },
  { tag: tags.comment, color: 'var(--dim)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { fontSize: '13px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-content': { padding: '8px 0', fontFamily: 'var(--mantine-font-family-monospace)', caretColor: 'var(--text)' },
  '.cm-tooltip': { background: 'var(--surface)', border: '1px solid var(--line)', color: 'var(--text)' },
  '.cm-tooltip-autocomplete > ul > li[aria-selected]': { background: 'var(--accent)', color: '#ffffff' },
  '.cm-completionDetail': { color: 'var(--dim)', marginLeft: '8px' },
  '.cm-placeholder': { color: 'var(--dim)' },
});

/** A line of PromQL with completion from what history holds, colours and errors. */
export default function Editor({ label, hint, value, onRun }: EditorProps) {
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const run = useRef(onRun);
  run.current = onRun;
  const first = useRef(value);

  useEffect(() => {
    if (!box.current) return;
    const promql = new PromQLExtension().setComplete({ remote: { url: '' } });
    const execute = (v: EditorView): boolean => {
      closeCompletion(v);
      run.current(v.state.doc.toString());
      return true;
    };
    const editor = new EditorView({
      parent: box.current,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          history(),
          bracketMatching(),
          closeBrackets(),
          autocompletion(),
          promql.asExtension(),
          syntaxHighlighting(colours),
          look,
          EditorView.lineWrapping,
          placeholder(hint),
          EditorView.contentAttributes.of({ 'aria-label': label, 'aria-multiline': 'true' }),
          // An open list of completions takes Enter first, at the highest precedence.
          keymap.of([
            { key: 'Enter', run: execute, shift: insertNewline },
            ...closeBracketsKeymap,
            ...completionKeymap,
            ...historyKeymap,
            ...lintKeymap,
            ...defaultKeymap,
          ]),
          EditorView.domEventHandlers({ blur: (_, v) => void execute(v) }),
        ],
      }),
    });
    view.current = editor;
    return () => {
      promql.destroy();
      editor.destroy();
    };
  }, [label, hint]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  return <div ref={box} className="promql" data-testid="promql" />;
}
