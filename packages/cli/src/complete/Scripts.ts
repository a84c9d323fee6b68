// Completion scripts of the shells.

const bash = `# bne completion for bash: source <(bne completion bash)
_bne() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o default 2>/dev/null
    else
      COMPREPLY+=("$line")
    fi
  done < <("$1" __complete bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
}
complete -F _bne bne
`;

const zsh = `#compdef bne
# bne completion for zsh: source <(bne completion zsh)
_bne() {
  local -a lines described
  local line value
  lines=("\${(@f)$(\${words[1]} __complete zsh "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ "\${lines[1]}" == ":files" ]]; then
    _files
    return
  fi
  for line in $lines; do
    value="\${line%%$'\\t'*}"
    described+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
  done
  (( \${#described} )) && _describe 'bne' described
}
if [[ "\${funcstack[1]}" == "_bne" ]]; then
  _bne "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _bne bne
fi
`;

const fish = `# bne completion for fish: bne completion fish | source
function __bne_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l lines ($words[1] __complete fish $words[2..-1] "$current" 2>/dev/null)
  if test "$lines[1]" = ":files"
    __fish_complete_path "$current"
  else
    printf '%s\\n' $lines
  end
end
complete -c bne -f -a '(__bne_complete)'
`;

const powershell = `# bne completion for PowerShell: bne completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName bne -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($wordToComplete -eq '') { $words += '' }
  & bne __complete powershell @words 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
    $value, $description = $_ -split "\`t", 2
    if (-not $description) { $description = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $description)
  }
}
`;

/** The script of each shell. */
export const completionScripts: ReadonlyMap<string, string> = new Map(Object.entries({ bash, zsh, fish, powershell }));
