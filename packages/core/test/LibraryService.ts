// google.example.library.v1 in memory, for tests of the client.
import { create, type MessageShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  BookSchema,
  ListBooksResponseSchema,
  ListShelvesResponseSchema,
  ShelfSchema,
  type Book,
  type CreateBookRequest,
  type CreateShelfRequest,
  type GetBookRequest,
  type ListBooksRequest,
  type MergeShelvesRequest,
  type MoveBookRequest,
  type Shelf,
  type UpdateBookRequest,
} from "./gen/google/example/library/v1/library_pb.ts";
import { RpcFailure, type Handlers } from "./ServiceServer.ts";

/** Handlers with a memory of their own. */
export const libraryHandlers = (): Handlers => {
  const shelves = new Map<string, Shelf>();
  const books = new Map<string, Book>();
  let lastId = 0;
  const shelf = (name: string): Shelf => {
    const found = shelves.get(name);
    if (found === undefined) throw new RpcFailure("NOT_FOUND", `no shelf ${name}`);
    return found;
  };
  const book = (name: string): Book => {
    const found = books.get(name);
    if (found === undefined) throw new RpcFailure("NOT_FOUND", `no book ${name}`);
    return found;
  };
  const move = (name: string, to: string): Book => {
    const moved = { ...book(name), name: `${to}/books/${++lastId}` };
    books.delete(name);
    books.set(moved.name, moved);
    return moved;
  };
  return {
    createShelf: ({ shelf }: CreateShelfRequest) => {
      const created = create(ShelfSchema, { ...shelf, name: `shelves/${++lastId}` } as MessageShape<
        typeof ShelfSchema
      >);
      shelves.set(created.name, created);
      return created;
    },
    getShelf: ({ name }: GetBookRequest) => shelf(name),
    listShelves: () => create(ListShelvesResponseSchema, { shelves: [...shelves.values()] }),
    deleteShelf: ({ name }: GetBookRequest) => {
      shelf(name);
      shelves.delete(name);
      return create(EmptySchema);
    },
    mergeShelves: ({ name, otherShelf }: MergeShelvesRequest) => {
      const into = shelf(name);
      for (const other of [...books.keys()].filter((key) => key.startsWith(`${shelf(otherShelf).name}/`)))
        move(other, name);
      shelves.delete(otherShelf);
      return into;
    },
    createBook: ({ parent, book }: CreateBookRequest) => {
      const created = create(BookSchema, { ...book, name: `${shelf(parent).name}/books/${++lastId}` } as Book);
      books.set(created.name, created);
      return created;
    },
    getBook: ({ name }: GetBookRequest) => book(name),
    listBooks: ({ parent, pageSize, pageToken }: ListBooksRequest) => {
      const all = [...books.values()].filter(({ name }) => name.startsWith(`${parent}/`));
      const start = Number(pageToken === "" ? 0 : pageToken);
      const end = start + (pageSize === 0 ? all.length : pageSize);
      return create(ListBooksResponseSchema, {
        books: all.slice(start, end),
        nextPageToken: end < all.length ? String(end) : "",
      });
    },
    deleteBook: ({ name }: GetBookRequest) => {
      book(name);
      books.delete(name);
      return create(EmptySchema);
    },
    updateBook: ({ book: given, updateMask }: UpdateBookRequest) => {
      const changed = { ...book(given?.name ?? "") };
      for (const path of updateMask?.paths ?? []) Object.assign(changed, { [path]: given?.[path as keyof Book] });
      books.set(changed.name, changed);
      return changed;
    },
    moveBook: ({ name, otherShelfName }: MoveBookRequest) => move(name, shelf(otherShelfName).name),
  };
};
