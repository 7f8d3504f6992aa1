//! `unipc queue`, and how `send` and `receive` come to their queue.

use crate::exit;
use crate::failure::Failure;
use crate::values;
use clap::Subcommand;
use std::io;
use std::process::ExitCode;
use unipc::{Access, Engine, Queue};

/// Make and remove message queues.
///
/// 'unipc send' and 'unipc receive' use them; so does every program with mq_open(3), where they are of engine
/// posix, and every one with unipc.
#[derive(clap::Args)]
#[command(after_long_help = format!("{AFTER}\n\n{}", exit::OF_OBJECTS))]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

const AFTER: &str = "\
Examples:
  unipc queue create /orders --max-messages 10 --message-size 1K
  unipc queue create /frames --engine shm --max-messages 1000 --message-size 1M --mode 660
  unipc queue unlink /orders /frames";

#[derive(Subcommand)]
enum What {
    /// Make a queue
    Create {
        /// Its name, which begins with a slash and has no other
        #[arg(value_name = "QUEUE")]
        name: String,
        #[command(flatten)]
        made: Made,
        /// Its engine
        ///
        /// Engine posix is the system's own, which all programs can use, within the system's limits; shm is
        /// unipc's, in shared memory, faster and without those limits.
        #[arg(long, value_parser = values::engine(), default_value = "posix")]
        engine: Engine,
        /// Be content with one that is there already, whatever its size
        #[arg(long)]
        exist_ok: bool,
    },
    /// Remove names of queues; who has one open goes on with it
    Unlink {
        /// Each is removed from whichever engine has it
        #[arg(value_name = "QUEUE", required = true)]
        names: Vec<String>,
    },
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    match &arguments.what {
        What::Create { name, made, engine, exist_ok } => {
            let target = Target { name: name.clone(), engine: Some(*engine) };
            match target.create(made, Access::ReadWrite) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && *exist_ok => Ok(ExitCode::SUCCESS),
                made => Ok(made.map(|_| ExitCode::SUCCESS)?),
            }
        }
        What::Unlink { names } => Ok(unlink_all(names, |name| Queue::unlink(name))),
    }
}

/// Goes on with the others where one fails; the first failure is the command's.
pub fn unlink_all<T>(objects: &[T], unlink: impl Fn(&T) -> unipc::Result<()>) -> ExitCode {
    let said = objects.iter().filter_map(|object| unlink(object).err()).map(|error| Failure::from(error).say());
    said.reduce(|first, _| first).unwrap_or(ExitCode::SUCCESS)
}

/// What a new queue is to be like.
#[derive(clap::Args)]
pub struct Made {
    /// How many messages it holds [default: the system's on engine posix, 10 on shm]
    #[arg(long, value_name = "COUNT")]
    max_messages: Option<usize>,
    /// How many bytes a message has at most, as in 4096, 64K, 1M [default: the system's, or 8K]
    #[arg(long, value_name = "BYTES", value_parser = values::size)]
    message_size: Option<usize>,
    /// Who may use it, in octal; the umask is taken away from it [default: 600]
    #[arg(long, value_name = "MODE", value_parser = values::mode)]
    mode: Option<u32>,
}

/// The queue of a command that sends or receives.
#[derive(clap::Args)]
pub struct Target {
    /// The queue's name, which begins with a slash and has no other
    #[arg(value_name = "QUEUE")]
    pub name: String,
    /// Use the queue of this engine [default: whichever has it]
    #[arg(long, value_parser = values::engine(), value_name = "ENGINE")]
    pub engine: Option<Engine>,
}

#[derive(clap::Args)]
pub struct Create {
    /// Make the queue if it is not there, on engine posix unless --engine says shm
    #[arg(long)]
    create: bool,
    #[command(flatten)]
    made: Made,
}

impl Target {
    /// Opens the queue, or makes it if that was asked for.
    pub fn open(&self, create: &Create, access: Access) -> Result<Queue, Failure> {
        let made = &create.made;
        let attributes = made.max_messages.is_some() || made.message_size.is_some() || made.mode.is_some();
        if attributes && !create.create {
            let sentence = "--max-messages, --message-size and --mode are a new queue's: give --create, too";
            return Err(Failure::new(exit::USAGE, sentence));
        }
        match self.find(access) {
            Err(absent) if create.create && absent.code() == exit::NOT_THERE => match self.create(made, access) {
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.find(access),
                created => Ok(created?),
            },
            found => found,
        }
    }

    fn create(&self, made: &Made, access: Access) -> unipc::Result<Queue> {
        let mut options = Queue::options();
        options.engine(self.engine.unwrap_or_default()).access(access);
        if let Some(count) = made.max_messages {
            options.max_messages(count);
        }
        if let Some(bytes) = made.message_size {
            options.message_size(bytes);
        }
        if let Some(mode) = made.mode {
            options.mode(mode);
        }
        options.create(&self.name)
    }

    fn find(&self, access: Access) -> Result<Queue, Failure> {
        let open = |engine| Queue::options().engine(engine).access(access).open(&self.name);
        if let Some(engine) = self.engine {
            return Ok(open(engine)?);
        }
        let has = |opened: &unipc::Result<Queue>| match opened {
            Ok(_) => true,
            // EINVAL: it is of the other engine. A system without queues of an engine has not this one.
            Err(error) => !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
            ),
        };
        let [posix, shm] = [Engine::Posix, Engine::Shm].map(open);
        match (has(&posix), has(&shm)) {
            (true, true) => {
                let cause = "both engines have one of this name: choose by --engine posix or --engine shm";
                Err(Failure::new(exit::USAGE, format_args!("open queue {}: {cause}", self.name)))
            }
            (true, false) => Ok(posix?),
            _ => Ok(shm?),
        }
    }
}
